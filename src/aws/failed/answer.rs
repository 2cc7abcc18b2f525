//! What the service answered, if it is the service that did.

use std::time::{Duration, SystemTime};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::primitives::{DateTime, DateTimeFormat};
use aws_types::request_id::RequestId as _;

use super::Reason;
use crate::reason::{Denial, Outage, Service, Setting};

/// How far a clock may be off before AWS no longer takes what it signs.
const SKEW: Duration = Duration::from_secs(15 * 60);

/// How many characters of a page that is no answer are told.
const TOLD: usize = 120;

/// Holds what an answer says.
pub(super) struct Answer<'a> {
    service: Service,
    pub(super) status: u16,
    /// The service's word for the error; empty where there is none.
    pub(super) code: &'a str,
    pub(super) region: Option<String>,
    message: Option<&'a str>,
    pub(super) request: Option<&'a str>,
    /// What a server says that is another one, where this one is.
    page: Option<String>,
    /// How far this machine's clock is ahead of the service's, or behind it.
    clock: Option<Clock>,
}

enum Clock {
    Ahead(Duration),
    Behind(Duration),
}

impl<'a> Answer<'a> {
    pub(super) fn of(
        service: Service,
        raw: &HttpResponse,
        code: Option<&'a str>,
        message: Option<&'a str>,
        request: Option<&'a str>,
    ) -> Self {
        let body = raw.body().bytes().unwrap_or_default();
        let header = |name| raw.headers().get(name);
        // Only the answer to HEAD has no word for its error.
        let mute = service == Service::Store && body.is_empty();
        let foreign = is_page(raw) || code.is_none() && !mute;
        let target = header("location").filter(|_| header("x-amz-bucket-region").is_none() && code.is_none());
        let page = match target {
            Some(target) => Some(format!("it sends whoever asks to {target}")),
            None => foreign.then(|| said(body)),
        };
        let clock = header("date").and_then(Clock::read);
        let region = header("x-amz-bucket-region").or_else(|| region_in(body)).map(str::to_owned);
        let status = raw.status().as_u16();
        Self { service, status, code: code.unwrap_or_default(), region, message, request, page, clock }
    }

    /// Takes what stands in the body of an answer whose status says that all is well.
    pub(super) fn in_body(code: &'a str, message: &'a str, body: &[u8]) -> Self {
        let page = code.is_empty().then(|| said(body));
        let message = Some(message).filter(|message| !message.is_empty());
        Self { service: Service::Store, status: 200, code, region: None, message, request: None, page, clock: None }
    }

    /// Says that it is another service that answered.
    pub(super) fn is_foreign(&self) -> bool {
        self.page.is_some()
    }

    pub(super) fn reason(&self) -> Reason {
        match (self.status, self.code) {
            (407, _) => Reason::Set(Setting::Proxy),
            (429, _)
            | (
                _,
                "SlowDown"
                | "RequestLimitExceeded"
                | "Throttling"
                | "ThrottlingException"
                | "TooManyRequests"
                | "TooManyRequestsException"
                | "TooManyUpdates",
            ) => Reason::Out(Outage::Throttled),
            (500.., _) if self.code != "NotImplemented" && self.status != 501 => Reason::Out(Outage::Plain),
            _ if self.is_foreign() => Reason::Set(Setting::Endpoint),
            (_, "RequestTimeTooSkewed") => Reason::Set(Setting::Clock),
            (401 | 403, "AuthFailure" | "SignatureDoesNotMatch" | "AccessDenied" | "Forbidden" | "")
            | (_, "InvalidSignatureException")
                if self.is_skewed() =>
            {
                Reason::Set(Setting::Clock)
            }
            _ => self.of_code(),
        }
    }

    fn of_code(&self) -> Reason {
        match (self.status, self.code) {
            (_, "NoSuchBucket" | "InvalidBucketName") => Reason::Set(Setting::Bucket),
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => Reason::Denied(Denial::Expired),
            (_, "InvalidToken") => Reason::Denied(Denial::Token),
            (_, "InvalidAccessKeyId" | "UnrecognizedClientException" | "IncompleteSignatureException") => {
                Reason::Denied(Denial::Key)
            }
            (_, "SignatureDoesNotMatch" | "InvalidSignatureException") => Reason::Denied(Denial::Secret),
            (_, "AuthorizationHeaderMalformed")
                if self.region.is_none() && !self.message.is_some_and(|said| said.contains("region")) =>
            {
                Reason::Denied(Denial::Key)
            }
            (
                _,
                "AuthorizationHeaderMalformed"
                | "PermanentRedirect"
                | "TemporaryRedirect"
                | "Redirect"
                | "IllegalLocationConstraintException",
            )
            | (301 | 302 | 307 | 308, _) => match self.service {
                Service::Store => Reason::Set(Setting::Region),
                // What has no buckets has no other place to send anybody to.
                Service::Parameters => Reason::Set(Setting::Endpoint),
            },
            (401 | 403, _) | (_, "AccessDeniedException") => Reason::Denied(Denial::Plain),
            (409, _)
            | (
                _,
                "InternalError"
                | "ServiceUnavailable"
                | "RequestTimeout"
                | "BadDigest"
                | "XAmzContentSHA256Mismatch"
                | "IncompleteBody"
                | "OperationAborted"
                | "ConditionalRequestConflict"
                | "NoSuchUpload",
            ) => Reason::Out(Outage::Plain),
            _ => Reason::Other,
        }
    }

    /// Says that the clock may be why a signature was not taken.
    fn is_skewed(&self) -> bool {
        self.clock.as_ref().is_some_and(|(Clock::Ahead(off) | Clock::Behind(off))| *off > SKEW)
    }

    pub(super) fn words(&self) -> String {
        let Self { status, code, .. } = self;
        let (name, model) = (self.service.name(), self.service.model());
        let said = match (code, self.message) {
            (&"", _) => format!("{name} answers {status}"),
            (code, None) => format!("{name} answers {status} {code}"),
            (code, Some(message)) => format!("{name} answers {status} {code}: {}", message.trim_end_matches('.')),
        };
        let said = match self.page.as_deref() {
            None => said,
            Some("") => format!("{said}, and not as {model} does"),
            Some(page) => format!("{said}, and not as {model} does: {page}"),
        };
        let said = match (&self.region, self.of_code()) {
            (Some(region), Reason::Set(Setting::Region)) => format!("{said} (the bucket is in {region})"),
            _ => said,
        };
        let said = match &self.clock {
            Some(clock) if self.reason() == Reason::Set(Setting::Clock) => format!("{}: {said}", clock.words(name)),
            _ => said,
        };
        self.request.map(|id| format!("{said} (request {id})")).unwrap_or(said)
    }
}

impl Clock {
    /// Holds this machine's clock against the time at which an answer was given.
    fn read(date: &str) -> Option<Self> {
        let date = DateTime::from_str(date, DateTimeFormat::HttpDate).ok()?;
        let date = SystemTime::try_from(date).ok()?;
        Some(match SystemTime::now().duration_since(date) {
            Ok(ahead) => Self::Ahead(ahead),
            Err(behind) => Self::Behind(behind.duration()),
        })
    }

    fn words(&self, service: &str) -> String {
        let (off, side) = match self {
            Self::Ahead(off) => (off, "ahead of"),
            Self::Behind(off) => (off, "behind"),
        };
        let off = humantime::format_duration(Duration::from_secs(off.as_secs()));
        format!("the clock of this machine is {off} {side} {service}'s")
    }
}

/// Says that an answer is a page for people.
pub(super) fn is_page(raw: &HttpResponse) -> bool {
    let kind = raw.headers().get("content-type").unwrap_or_default();
    let begins = |text: &str, with: &str| {
        let begun = text.trim_start().get(..with.len());
        begun.is_some_and(|begun| begun.eq_ignore_ascii_case(with))
    };
    let body = String::from_utf8_lossy(raw.body().bytes().unwrap_or_default());
    let page = begins(kind, "text/html") || begins(&body, "<!doctype html") || begins(&body, "<html");
    // Some services that speak as S3 does give their answers to HEAD the type of a page, and an id as S3 does.
    page && raw.request_id().is_none()
}

/// Returns the region that an error's document names.
fn region_in(body: &[u8]) -> Option<&str> {
    let (_, rest) = std::str::from_utf8(body).ok()?.split_once("<Region>")?;
    let (region, _) = rest.split_once("</Region>")?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!region.is_empty() && region.chars().all(plain)).then_some(region)
}

/// Says that an answer has a document as the service writes them, or at least the beginning of one.
pub(super) fn is_document(service: Service, raw: &HttpResponse) -> bool {
    let begins = |with: &[u8]| raw.body().bytes().is_some_and(|body| body.trim_ascii_start().starts_with(with));
    match service {
        Service::Store => !is_page(raw) && begins(b"<"),
        // Many speak JSON, and have another word for an error than AWS has.
        Service::Parameters => raw.status().is_success() && begins(b"{"),
    }
}

/// Says that what was sent did not arrive as it was, or with a time that the SDK has corrected since.
pub(super) fn may_pass(raw: &HttpResponse) -> bool {
    let (code, _) = spelled(raw.body().bytes().unwrap_or_default());
    matches!(code.as_str(), "BadDigest" | "IncompleteBody" | "RequestTimeTooSkewed" | "XAmzContentSHA256Mismatch")
}

/// Returns what a page says, without its markup and with its beginning alone.
fn said(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let title = between(&text, "<title>", "</title>").unwrap_or(&text);
    let (mut plain, mut inside) = (String::new(), false);
    for character in title.chars().take(4 * TOLD) {
        match character {
            '<' => inside = true,
            '>' => inside = false,
            other if !inside => plain.push(if other.is_control() { ' ' } else { other }),
            _ => {}
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(TOLD).collect()
}

/// Returns S3's word for an error and its message, where a body spells them.
pub(super) fn spelled(body: &[u8]) -> (String, String) {
    let text = String::from_utf8_lossy(body);
    let Some(error) = text.find("<Error>").and_then(|at| text.get(at..)) else { return (String::new(), String::new()) };
    let of = |name: &str| between(error, &format!("<{name}>"), &format!("</{name}>")).unwrap_or_default().to_owned();
    (of("Code"), of("Message"))
}

fn between<'t>(text: &'t str, from: &str, to: &str) -> Option<&'t str> {
    text.split_once(from)?.1.split_once(to).map(|(inside, _)| inside)
}
