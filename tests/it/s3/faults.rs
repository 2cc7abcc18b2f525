//! What goes wrong at the wire, and what comes of it: one table of faults and operations.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime};

use metalogic::failure::Failure;
use metalogic::store::{Attributes, Condition, Content, Key, Store, StoreError};

use crate::conformance::{TempFile, artifact, commit};
use crate::fake::{Act, Fake, Fault};

use super::{INTERNAL, all, error, noise};

/// What is asked of the store, and which of its requests goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Asked {
    Get,
    Open,
    Head,
    List,
    SecondPage,
    Put,
    Begin,
    CopyPart,
    Complete,
    Delete,
    Part,
}

use Asked::*;

const EVERY: &[Asked] = &[Get, Open, Head, List, SecondPage, Put, Begin, CopyPart, Complete, Delete];
const WRITES: &[Asked] = &[Put, Begin, CopyPart, Complete];
const CONDITIONAL: &[Asked] = &[Put, Complete];
/// A part of a local file is large, so it meets those faults alone that are another matter for it.
const WITH_PART: &[Asked] = &[Get, Open, Head, List, SecondPage, Put, Begin, CopyPart, Complete, Delete, Part];
const LISTINGS: &[Asked] = &[List, SecondPage];
/// Those whose answers have a body.
const TELLING: &[Asked] = &[Get, Open, List, SecondPage, Put, Begin, CopyPart, Complete, Delete];

impl Asked {
    /// Returns what the lines of its requests have in them.
    fn about(self) -> Vec<&'static str> {
        match self {
            Get | Open => vec!["GET", "app.zip"],
            // Where HEAD is refused, GET is asked why.
            Head => vec!["app.zip"],
            List => vec!["GET", "list-type=2"],
            SecondPage => vec!["GET", "continuation-token"],
            Put => vec!["PUT", "app.zip"],
            Begin => vec!["POST", "uploads"],
            Part | CopyPart => vec!["PUT", "partNumber="],
            Complete => vec!["POST", "uploadId="],
            Delete => vec!["DELETE"],
        }
    }

    fn is_write(self) -> bool {
        WRITES.contains(&self) || self == Part
    }
}

/// What comes of a fault: nothing at all, or a failure with its code and what its message and its causes have in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Done,
    Fails(u8, &'static str),
}

use Outcome::{Done, Fails};

struct Row {
    fault: &'static str,
    act: Act,
    asked: &'static [Asked],
    /// What comes of it when it happens once.
    once: Outcome,
    /// What comes of it when it happens each time.
    forever: Outcome,
    /// Where it is otherwise: once, and each time.
    but: &'static [(Asked, Outcome, Outcome)],
}

fn row(fault: &'static str, act: Act, asked: &'static [Asked], once: Outcome, forever: Outcome) -> Row {
    Row { fault, act, asked, once, forever, but: &[] }
}

impl Row {
    /// Says that it never helps to ask again.
    fn hopeless(fault: &'static str, act: Act, asked: &'static [Asked], outcome: Outcome) -> Self {
        row(fault, act, asked, outcome, outcome)
    }

    fn but(self, but: &'static [(Asked, Outcome, Outcome)]) -> Self {
        Self { but, ..self }
    }

    fn expected(&self, asked: Asked, times: usize) -> Outcome {
        let but = self.but.iter().find(|(other, ..)| *other == asked);
        let (once, forever) = but.map_or((self.once, self.forever), |(_, once, forever)| (*once, *forever));
        if times == 1 { once } else { forever }
    }
}

/// Returns an answer as S3 gives it, with a header or two more.
fn with(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Act {
    let mut all = vec![("content-type", "application/xml".to_owned())];
    all.extend(headers.iter().map(|(name, value)| (*name, (*value).to_owned())));
    Act::Answer { status, headers: all, body }
}

fn page(status: u16, headers: &[(&'static str, &str)], body: &'static str) -> Act {
    let Act::Answer { status, mut headers, body } = with(status, headers, body) else { unreachable!() };
    headers[0].1 = "text/html; charset=utf-8".to_owned();
    Act::Answer { status, headers, body }
}

/// Returns the date of an answer that was given so many seconds after now.
fn date(seconds: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let date = aws_sdk_s3::primitives::DateTime::from_secs(now as i64 + seconds);
    date.fmt(aws_sdk_s3::primitives::DateTimeFormat::HttpDate).unwrap()
}

macro_rules! said {
    ($code:literal) => {
        concat!("<Error><Code>", $code, "</Code><Message>S3 says why.</Message></Error>")
    };
}

const HTML: &str = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Please</body></html>";
const REGION: &[(&str, &str)] = &[("x-amz-bucket-region", "ap-south-1")];
const ELSEWHERE: Outcome = Fails(12, "is in another region");
const NO_S3: Outcome = Fails(12, "is no S3");
const DOWN: Outcome = Fails(10, "cannot be reached");
const DENIED: Outcome = Fails(9, "is denied");
const HIDDEN: Outcome = Fails(9, "is missing or forbidden");
const STALLED: Outcome = Fails(10, "is waited for in vain");
const THROTTLED: Outcome = Fails(10, "is asked too often");
const CORRUPT: Outcome = Fails(8, "is corrupt");

/// Where a refusal says no more than that.
const READING: &[(Asked, Outcome, Outcome)] = &[(Get, HIDDEN, HIDDEN), (Open, HIDDEN, HIDDEN), (Head, Done, HIDDEN)];

fn refusals() -> Vec<Row> {
    let denied = |body| row("403 AccessDenied", error(403, body), EVERY, DENIED, DENIED).but(READING);
    let once_head = |row: Row, but| row.but(but);
    vec![
        denied(said!("AccessDenied")),
        Row { fault: "403 without a body", ..denied("") },
        once_head(
            Row::hopeless(
                "400 ExpiredToken",
                error(400, said!("ExpiredToken")),
                EVERY,
                Fails(9, "credentials have expired"),
            ),
            &[(Head, Done, Fails(9, "credentials have expired"))],
        ),
        once_head(
            Row::hopeless("400 InvalidToken", error(400, said!("InvalidToken")), EVERY, Fails(9, "token is not valid")),
            &[(Head, Done, Fails(9, "token is not valid"))],
        ),
        once_head(
            Row::hopeless(
                "403 InvalidAccessKeyId",
                error(403, said!("InvalidAccessKeyId")),
                EVERY,
                Fails(9, "does not know the access key"),
            ),
            &[(Head, Done, Fails(9, "does not know the access key"))],
        ),
        once_head(
            Row::hopeless(
                "403 SignatureDoesNotMatch",
                error(403, said!("SignatureDoesNotMatch")),
                EVERY,
                Fails(9, "secret is not that"),
            ),
            &[(Head, Done, Fails(9, "secret is not that"))],
        ),
        row(
            "403 RequestTimeTooSkewed",
            with(403, &[("date", &date(7200 + 30))], said!("RequestTimeTooSkewed")),
            EVERY,
            Done,
            Fails(12, "the clock of this machine is 2h "),
        ),
        once_head(
            Row::hopeless(
                "404 NoSuchBucket",
                error(404, said!("NoSuchBucket")),
                EVERY,
                Fails(12, "the bucket s3://dev-bucket does not exist"),
            ),
            // An answer to HEAD has no word for it, and each other request tells.
            &[(Head, Done, Done)],
        ),
        row("409 ConditionalRequestConflict", error(409, said!("ConditionalRequestConflict")), CONDITIONAL, Done, DOWN),
        Row::hopeless(
            "412 PreconditionFailed",
            error(412, said!("PreconditionFailed")),
            CONDITIONAL,
            Fails(7, "not in the state"),
        ),
        Row::hopeless(
            "501 NotImplemented",
            error(501, said!("NotImplemented")),
            CONDITIONAL,
            Fails(12, "does not know conditional writes"),
        ),
        Row::hopeless(
            "400 InvalidStorageClass",
            error(400, said!("InvalidStorageClass")),
            WRITES,
            Fails(1, "400 InvalidStorageClass: S3 says why"),
        ),
    ]
}

fn regions() -> Vec<Row> {
    let malformed =
        "<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong</Message></Error>";
    let lost = Row::hopeless("301 that names no region", error(301, said!("PermanentRedirect")), EVERY, ELSEWHERE);
    vec![
        row("301 to another region", with(301, REGION, said!("PermanentRedirect")), EVERY, Done, ELSEWHERE),
        row("307 to another region", with(307, REGION, said!("TemporaryRedirect")), EVERY, Done, ELSEWHERE),
        row("400 of another region", with(400, REGION, malformed), EVERY, Done, ELSEWHERE),
        lost,
    ]
}

fn no_s3() -> Vec<Row> {
    vec![
        Row::hopeless("404 with a page", page(404, &[], HTML), EVERY, NO_S3),
        Row::hopeless("200 with a page", page(200, &[], HTML), EVERY, NO_S3),
        Row::hopeless(
            "302 to another URL",
            page(302, &[("location", "https://login.example/")], ""),
            EVERY,
            Fails(12, "sends whoever asks to https://login.example/"),
        ),
        Row::hopeless("403 with a page", page(403, &[], HTML), EVERY, NO_S3),
    ]
}

fn outages() -> Vec<Row> {
    vec![
        row("500 InternalError", error(500, INTERNAL), WITH_PART, Done, DOWN),
        row("503 without a body", error(503, ""), EVERY, Done, DOWN),
        row("502 with a page", page(502, &[], HTML), EVERY, Done, DOWN),
        row("200 with an error body", error(200, INTERNAL), TELLING, Done, DOWN),
        row("reset before the answer", Act::Break, WITH_PART, Done, DOWN),
        row("reset in the middle", Act::Cut(10), &[Get, Open, List, SecondPage], Done, DOWN),
        row("truncated body", Act::Shorten(200), &[Get, Open], CORRUPT, CORRUPT),
        row("truncated body", Act::Shorten(200), LISTINGS, Done, DOWN),
        row("flipped bit in the answer", Act::Flip, &[Get, Open], CORRUPT, CORRUPT),
        row("flipped bit in the request", Act::FlipRequest, &[Put, Part], Done, DOWN),
    ]
}

fn throttles() -> Vec<Row> {
    vec![
        row("503 SlowDown", error(503, said!("SlowDown")), TELLING, Done, THROTTLED),
        row("429 without a body", error(429, ""), EVERY, Done, THROTTLED),
    ]
}

fn stalls() -> Vec<Row> {
    vec![
        Row::hopeless("no answer, for ever", Act::Silence, WITH_PART, STALLED),
        Row::hopeless("stands still in the middle", Act::StandStill(10), &[Get, Open, List, SecondPage], STALLED),
    ]
}

/// What came of a row, for whoever reads the table.
#[derive(Debug)]
struct Told {
    fault: &'static str,
    asked: Asked,
    once: String,
    code: u8,
    message: String,
    hint: String,
}

/// Runs one cell of the table and says what differs from what is expected.
async fn cell(row: &Row, asked: Asked, times: usize, timeout: Duration) -> Result<Option<Failure>, String> {
    let fake = Fake::start().await;
    fake.calm();
    let store: Arc<dyn Store> = Arc::new(fake.store_with("", timeout));
    let (key, bytes) = (artifact(1, "app.zip"), noise(1000));
    if asked.is_write() {
        fake.plant(&artifact(2, "app.zip").to_string(), bytes.clone());
    } else {
        for name in ["app.zip", "one", "two"] {
            fake.plant(&artifact(1, name).to_string(), bytes.clone());
        }
    }
    let before = fake.keys();
    fake.fault(Fault { about: asked.about(), times, act: row.act.clone() });
    let since = Instant::now();
    let result = ask(&store, asked, &key).await;
    let elapsed = since.elapsed();
    let failure = result.err().map(|error| Failure::all_of(&error.into()).remove(0));
    let wrong = |what: &str| Err(format!("{} on {asked:?}, {times} times: {what}: {failure:?}", row.fault));
    let fits = match (row.expected(asked, times), &failure) {
        (Done, None) => true,
        (Fails(code, words), Some(failure)) => {
            let said = format!("{} {}", failure.message, failure.causes.join(" "));
            failure.kind.code() == code && said.contains(words)
        }
        (Done, Some(_)) | (Fails(..), None) => false,
    };
    if !fits {
        return wrong(&format!("instead of {:?}", row.expected(asked, times)));
    }
    // Whoever writes waits once more, for the upload to be put away.
    if elapsed > timeout + Duration::from_secs(3) {
        return wrong(&format!("after {elapsed:?}"));
    }
    if fake.uploads() != 0 {
        return wrong("an upload is left");
    }
    let done = failure.is_none();
    if asked == Delete && !done && fake.keys() != before || asked.is_write() && !done && fake.keys() != before {
        return wrong(&format!("the bucket has {:?}", fake.keys()));
    }
    fake.mend();
    let stands = store.get(&key, 100 << 20).await.unwrap().map(|(bytes, _)| bytes);
    let expected = match asked {
        Part => done.then(large),
        Put | Begin | CopyPart | Complete => done.then_some(bytes),
        Delete => (!done || fake.keys() == before).then_some(bytes),
        Get | Open | Head | List | SecondPage => Some(bytes),
    };
    if stands.as_deref() != expected.as_deref() {
        return wrong("what stands there afterwards is something else");
    }
    Ok(failure)
}

/// Is put in parts.
static LARGE_FILE: LazyLock<TempFile> = LazyLock::new(|| TempFile::with(&large()));

/// More than one part.
fn large() -> Vec<u8> {
    vec![7; (8 << 20) + 1]
}

async fn ask(store: &Arc<dyn Store>, asked: Asked, key: &Key) -> Result<(), StoreError> {
    let whole = noise(1000);
    match asked {
        Get => store.get(key, 1 << 20).await.map(|got| assert!(got.unwrap().0 == whole)),
        Open => {
            let (_, body) = store.open(key, None).await?.unwrap();
            all(body).await.map(|got| assert!(got == whole))
        }
        Head => store.head(key).await.map(drop),
        List | SecondPage => store.list(commit(1)).await.map(|listing| assert_eq!(listing.artifacts.len(), 3)),
        Put => {
            let content = Content::Bytes(whole.into());
            store.put(key, content, Attributes::default(), &Condition::Absent).await.map(drop)
        }
        Part => {
            let file = LazyLock::force(&LARGE_FILE);
            store.put(key, file.content(), file.attributes(), &Condition::Absent).await.map(drop)
        }
        Begin | CopyPart | Complete => store.copy(&artifact(2, "app.zip"), key, None).await,
        Delete => store.delete(key).await,
    }
}

/// Runs rows, all at once but for what this machine can bear, and returns what came of them.
async fn table(rows: Vec<Row>, timeout: Duration) -> Vec<Told> {
    let rows = Arc::new(rows);
    let room = Arc::new(tokio::sync::Semaphore::new(96));
    let mut cells = tokio::task::JoinSet::new();
    for (number, row) in rows.iter().enumerate() {
        for asked in row.asked.iter().copied() {
            let (rows, room) = (Arc::clone(&rows), Arc::clone(&room));
            cells.spawn(async move {
                let row = &rows[number];
                let _room = room.acquire().await.unwrap();
                let (once, forever) = tokio::join!(cell(row, asked, 1, timeout), cell(row, asked, 999, timeout));
                (number, asked, once, forever)
            });
        }
    }
    let (mut told, mut wrong) = (Vec::new(), BTreeSet::new());
    while let Some(cell) = cells.join_next().await {
        let (number, asked, once, forever) = cell.unwrap();
        match (once, forever) {
            (Ok(once), Ok(forever)) => told.push((number, asked, Told::of(rows[number].fault, asked, once, forever))),
            (once, forever) => wrong.extend(once.err().into_iter().chain(forever.err())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    told.sort_by_key(|(number, asked, _)| (*number, *asked));
    told.into_iter().map(|(.., told)| told).collect()
}

impl Told {
    fn of(fault: &'static str, asked: Asked, once: Option<Failure>, forever: Option<Failure>) -> Self {
        let once = match (once, &forever) {
            (None, _) => "done".to_owned(),
            (Some(once), Some(forever)) if (once.kind, &once.message) == (forever.kind, &forever.message) => {
                "the same".to_owned()
            }
            (Some(once), _) => format!("{}: {}", once.kind.code(), once.message),
        };
        let (code, message, hint) = forever.map_or((0, "done".to_owned(), String::new()), |failure| {
            let said = std::iter::once(failure.message).chain(failure.causes).collect::<Vec<_>>().join(": ");
            (failure.kind.code(), said, failure.hint.unwrap_or_default())
        });
        Self { fault, asked, once, code, message, hint }
    }
}

/// Shows a table to whoever asks for it with `METALOGIC_FAULTS=DIRECTORY`, with one line for operations that end alike.
fn show(name: &str, told: &[Told]) {
    let Some(directory) = std::env::var_os("METALOGIC_FAULTS") else { return };
    let mut lines: Vec<(String, String, String)> = Vec::new();
    for Told { fault, asked, once, code, message, hint } in told {
        let rest = plain(&format!("{once} | {code} | {message} | {hint}"));
        match lines.iter_mut().find(|(other, _, ended)| other == fault && *ended == rest) {
            Some((_, operations, _)) => write!(operations, ", {asked:?}").unwrap(),
            None => lines.push(((*fault).to_owned(), format!("{asked:?}"), rest)),
        }
    }
    let mut text = "| fault | operation | once | each time: exit code | message | hint |\n".to_owned();
    text.push_str("| --- | --- | --- | --- | --- | --- |\n");
    for (fault, operations, rest) in lines {
        writeln!(text, "| {fault} | {operations} | {rest} |").unwrap();
    }
    std::fs::write(std::path::Path::new(&directory).join(format!("{name}.md")), text).unwrap();
}

/// Returns a message without what is another one in each run.
fn plain(message: &str) -> String {
    let message = message.replace(&commit(1).address(), "ADDRESS/").replace("ADDRESS/app.zip", "OBJECT");
    let mut parts = message.split("http://127.0.0.1:");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + "ENDPOINT" + part.trim_start_matches(|c: char| c.is_ascii_digit()))
}

const PATIENT: Duration = Duration::from_secs(12);

#[tokio::test(flavor = "multi_thread")]
async fn what_s3_refuses_is_told_as_what_it_is() {
    show("refusals", &table(refusals(), PATIENT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_elsewhere_is_followed_once_and_told_otherwise() {
    show("regions", &table(regions(), PATIENT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_s3_has_and_takes_nothing() {
    show("no-s3", &table(no_s3(), PATIENT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_once_is_healed_and_what_fails_for_good_leaves_nothing() {
    show("outages", &table(outages(), PATIENT).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_always_told_to_come_later_is_told_so_in_time() {
    show("throttles", &table(throttles(), Duration::from_secs(4)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_told_to_come_later_more_often_than_the_sdk_asks_comes_later() {
    let each = EVERY.iter().map(|asked| async move {
        let fake = Fake::start().await;
        fake.calm();
        let store: Arc<dyn Store> = Arc::new(fake.store_with("", Duration::from_secs(30)));
        let (key, bytes) = (artifact(1, "app.zip"), noise(1000));
        if asked.is_write() {
            fake.plant(&artifact(2, "app.zip").to_string(), bytes);
        } else {
            ["app.zip", "one", "two"].iter().for_each(|name| fake.plant(&artifact(1, name).to_string(), bytes.clone()));
        }
        fake.fault(Fault { about: asked.about(), times: 7, act: error(429, "") });
        assert!(ask(&store, *asked, &key).await.is_ok(), "{asked:?}");
        assert_eq!(fake.uploads(), 0, "{asked:?}");
    });
    futures::future::join_all(each).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_waited_for_beyond_the_timeout() {
    show("stalls", &table(stalls(), Duration::from_millis(900)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_wrong_is_corrected_by_what_the_service_says() {
    let fake = Fake::start().await;
    let (store, key) = (fake.store(""), artifact(1, "app.zip"));
    fake.plant(&key.to_string(), noise(10));
    let act = with(403, &[("date", &date(7200))], said!("RequestTimeTooSkewed"));
    fake.fault(Fault { about: vec!["GET"], times: 1, act });
    assert!(store.get(&key, 100).await.unwrap().is_some());
    let times: Vec<i64> = fake.heard().iter().map(|(_, headers)| seconds(&headers["x-amz-date"])).collect();
    let after = |n: usize| (times[n] - times[0]).rem_euclid(86_400);
    // The fake's own clock is right, so that it refuses the corrected time, and its own date corrects that again.
    assert!(times.len() == 3 && (7190..7260).contains(&after(1)) && after(2) < 60, "{times:?}");
}

/// Returns the seconds of the day of a time such as `20260102T030405Z`.
fn seconds(time: &hyper::header::HeaderValue) -> i64 {
    let digits = |from: usize| time.to_str().unwrap()[from..from + 2].parse::<i64>().unwrap();
    digits(9) * 3600 + digits(11) * 60 + digits(13)
}
