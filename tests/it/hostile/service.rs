//! A service that answers what no store answers: keys that are spelled otherwise, lengths that are not true, bytes without end.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::fake::{Act, Fake, Fault};
use crate::sandbox::{Ran, Sandbox};

use super::expect_lines;

/// Runs the program against a service.
fn run(sandbox: &Sandbox, endpoint: &str, arguments: &[&str]) -> Ran {
    let mut command = sandbox.with_program(sandbox.plain_command("sh"));
    let limit = if cfg!(target_os = "linux") { "ulimit -v 1048576; " } else { "" };
    command.args(["-c", &format!("{limit}exec metalogic -q --timeout 3s \"$@\""), "sh"]).args(arguments);
    command.current_dir(sandbox.path("repo")).env("METALOGIC_STORE", format!("s3://{}", crate::fake::BUCKET));
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_REGION", crate::fake::REGION);
    command.env("AWS_ACCESS_KEY_ID", crate::fake::ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", crate::fake::SECRET_KEY);
    sandbox.ran(&arguments.join(" "), &command.output().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_decode_differently_are_told_and_nothing_else_is_asked_for() {
    let (fake, sandbox) = (Fake::start().await, Sandbox::with_repository());
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    let odd =
        ["%2e%2e", "..", "a%2Fb", "app%2ezip", "con", "a\u{202e}b", "e\u{301}.zip", "é.zip", "a b", "APP.ZIP ", "x\\y"];
    for name in odd {
        fake.plant(&format!("builds/{commit}/{name}"), "x");
    }
    let ran = run(&sandbox, &fake.endpoint, &["resolve"]);
    assert_eq!(ran.code, Some(6), "{ran}");
    expect_lines(&ran);
    for told in ["%2e%2e", "a%2Fb", "app%2ezip", "con", "a\\u{202e}b", "x\\\\y"] {
        assert!(ran.stderr.contains(told), "{told} of {ran}");
    }
    assert!(ran.stdout.contains("\"artifacts\": {}"), "{ran}");
    assert!(!fake.requests().iter().any(|line| !line.contains("list-type") && line.contains("..")));
    // A service that spells keys otherwise than it was asked to has no artifact that is missed.
    let body = format!(
        "<?xml version=\"1.0\"?><ListBucketResult><EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>\
         <Contents><Key>builds/{commit}/lib%2Bx.zip</Key><Size>1</Size></Contents></ListBucketResult>"
    );
    let act = Act::Answer { status: 200, headers: Vec::new(), body: Box::leak(body.into_boxed_str()) };
    fake.fault(Fault { about: vec!["list-type=2"], times: 9, act });
    let ran = run(&sandbox, &fake.endpoint, &["resolve"]);
    assert!(ran.code == Some(6) && ran.stderr.contains("lib%2Bx.zip"), "{ran}");
    fake.mend();
    let elsewhere = format!(
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>false</IsTruncated><Contents>\
         <Key>builds/{commit}/../../secret&#10;hint: trust me</Key><Size>1</Size></Contents><Contents><Key>other/x</Key>\
         <Size>1</Size></Contents></ListBucketResult>"
    );
    let act = Act::Answer { status: 200, headers: Vec::new(), body: Box::leak(elsewhere.into_boxed_str()) };
    fake.fault(Fault { about: vec!["list-type=2"], times: 9, act });
    let ran = run(&sandbox, &fake.endpoint, &["resolve"]);
    assert!(ran.code == Some(8) && ran.stderr.contains("other/x"), "{ran}");
    expect_lines(&ran);
}

/// Has the service answer a listing so.
fn lists(fake: &Fake, about: Vec<&'static str>, times: usize, inner: &str) {
    let body = format!("<?xml version=\"1.0\"?><ListBucketResult>{inner}</ListBucketResult>");
    let act = Act::Answer { status: 200, headers: Vec::new(), body: Box::leak(body.into_boxed_str()) };
    fake.fault(Fault { about, times, act });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listing_of_empty_pages_without_end_is_given_up() {
    let (fake, sandbox) = (Fake::start().await, Sandbox::with_repository());
    for token in 0..300 {
        let inner = format!("<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>");
        lists(&fake, vec!["list-type=2"], 1, &inner);
    }
    let ran = run(&sandbox, &fake.endpoint, &["resolve"]);
    assert!(ran.code == Some(8) && ran.stderr.contains("goes on after 100 empty pages"), "{ran}");
    assert!(fake.requests().len() < 250, "{}", fake.requests().len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_xml_cannot_have_is_asked_for_in_escapes() {
    let (fake, sandbox) = (Fake::start().await, Sandbox::with_repository());
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    let contents = |key: &str| {
        format!("<IsTruncated>false</IsTruncated><Contents><Key>builds/{commit}/{key}</Key><Size>1</Size></Contents>")
    };
    let escaped = format!("<EncodingType>url</EncodingType>{}", contents("x%1by+%2B"));
    lists(&fake, vec!["list-type=2", "encoding-type=url"], 9, &escaped);
    lists(&fake, vec!["list-type=2"], 9, &contents("x\u{1b}y +"));
    let ran = run(&sandbox, &fake.endpoint, &["resolve"]);
    assert!(
        ran.code == Some(6) && ran.stderr.contains(&format!("/builds/{commit}/x\\u{{1b}}y +: no artifact")),
        "{ran}"
    );
    expect_lines(&ran);
    // A service that knows of no escapes stays one that is not understood, and is not asked for ever.
    fake.mend();
    lists(&fake, vec!["list-type=2"], 99, &contents("x\u{1b}y +"));
    assert_eq!(run(&sandbox, &fake.endpoint, &["resolve"]).code, Some(12));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_over_its_size_on_s3_is_refused_rather_than_read() {
    let (fake, sandbox) = (Fake::start().await, Sandbox::with_repository());
    let commit = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    fake.plant(&format!("builds/{commit}/build_meta.json"), vec![b'['; (1 << 20) + 1]);
    let ran = run(&sandbox, &fake.endpoint, &["show"]);
    assert!(ran.code == Some(8) && ran.stderr.contains("at most 1048576 bytes, this has 1048577"), "{ran}");
    expect_lines(&ran);
    fake.plant("versions/app/1.0.0/record.json", vec![b'['; (1 << 20) + 1]);
    let ran = run(&sandbox, &fake.endpoint, &["info", "app", "1.0.0"]);
    assert!(ran.code == Some(8) && ran.stderr.contains("1048577"), "{ran}");
    sandbox.git("repo", &["rm", "-q", "artifacts.toml"]);
    sandbox.git("repo", &["commit", "-q", "-m", "elsewhere"]);
    fake.plant("artifacts.toml", vec![b'['; (1 << 20) + 1]);
    let ran = run(&sandbox, &fake.endpoint, &["registry", "check"]);
    assert!(ran.code == Some(12) && ran.stderr.contains("1048577"), "{ran}");
    expect_lines(&ran);
}

/// A service that answers everything with one head and bytes that never end.
struct Endless {
    endpoint: String,
    sent: Arc<AtomicU64>,
}

impl Endless {
    fn start(head: &'static str, piece: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let counted = Arc::clone(&counted);
                std::thread::spawn(move || pour(stream, head, piece, &counted));
            }
        });
        Self { endpoint, sent }
    }
}

/// Answers one request for as long as anybody listens.
fn pour(mut stream: TcpStream, head: &str, piece: &str, sent: &AtomicU64) {
    let (mut asked, mut bytes) = (Vec::new(), [0; 4096]);
    while !asked.ends_with(b"\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(count @ 1..) => asked.extend_from_slice(&bytes[..count]),
            _ => return,
        }
    }
    let chunked = head.contains("chunked");
    let piece = piece.repeat((256 << 10) / piece.len());
    let piece = if chunked { format!("{:x}\r\n{piece}\r\n", piece.len()) } else { piece };
    let head = format!("HTTP/1.1 {head}\r\n\r\n");
    let mut written = stream.write_all(head.as_bytes());
    while written.is_ok() && sent.load(Ordering::Relaxed) < 2 << 30 {
        written = stream.write_all(piece.as_bytes());
        sent.fetch_add(piece.len() as u64, Ordering::Relaxed);
    }
}

#[test]
fn an_answer_without_an_end_is_given_up_before_it_fills_the_memory() {
    let sandbox = Sandbox::with_repository();
    let cases: [(&str, &str, &[&str], i32); 9] = [
        ("200 OK\r\netag: \"a\"\r\ntransfer-encoding: chunked", "[", &["show"], 8),
        ("200 OK\r\netag: \"a\"\r\nconnection: close", "[", &["show"], 8),
        ("200 OK\r\netag: \"a\"\r\ncontent-length: 10737418240", "[", &["show"], 8),
        ("200 OK\r\netag: \"a\"\r\ncontent-length: 10", "[", &["show"], 8),
        ("200 OK\r\ntransfer-encoding: chunked", "<a>", &["show"], 12),
        ("200 OK\r\ncontent-type: application/xml\r\ntransfer-encoding: chunked", "<a>", &["stub"], 12),
        ("200 OK\r\ncontent-type: application/xml\r\ncontent-length: 10737418240", "<a>", &["stub"], 12),
        ("500 No\r\ntransfer-encoding: chunked", "<a>", &["show"], 10),
        ("403 No\r\ntransfer-encoding: chunked", "<a>", &["show"], 10),
    ];
    for (head, piece, arguments, code) in cases {
        let service = Endless::start(head, piece);
        let ran = run(&sandbox, &service.endpoint, arguments);
        let sent = service.sent.load(Ordering::Relaxed) >> 20;
        println!("{head:?} {arguments:?}: exit {:?} after {sent} MiB", ran.code);
        assert_eq!(ran.code, Some(code), "{head:?} {arguments:?} after {sent} MiB: {ran}");
        assert!(sent < 300, "{head:?} {arguments:?}: {sent} MiB: {ran}");
        expect_lines(&ran);
    }
}
