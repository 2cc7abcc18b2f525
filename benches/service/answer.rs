//! The operations of S3 that the programs ask for which are compared. No signature is checked.

use std::convert::Infallible;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::header::{CONTENT_RANGE, ETAG, HeaderName, HeaderValue, LAST_MODIFIED, RANGE};
use hyper::{HeaderMap, Method, Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::chunked::Chunked;
use super::rope::{Answer, Rope};
use super::shelf::{Shelf, Upload};
use super::tally::Tally;

/// All things here are as old as this.
const DAY: (&str, &str) = ("Sat, 01 Nov 2025 00:00:00 GMT", "2025-11-01T00:00:00.000Z");

pub type Answered = Response<Answer>;

/// A status and the code of an error.
type Refusal = (u16, &'static str);

#[derive(Default)]
struct Asked {
    bucket: String,
    key: String,
    query: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Asked {
    fn new(request: &Request<Incoming>) -> Self {
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let path = request.uri().path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let pairs = request.uri().query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let query = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        let query = query.map(|(name, value)| (decode(name), decode(&value.replace('+', "%20")))).collect();
        Self { bucket: decode(bucket), key: decode(key), query, headers: request.headers().clone() }
    }

    fn object(&self) -> String {
        format!("{}/{}", self.bucket, self.key)
    }

    fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// Returns the headers that are kept with an object.
    fn kept(&self) -> Vec<(HeaderName, HeaderValue)> {
        let is_kept = |name: &HeaderName| {
            name.as_str().starts_with("x-amz-meta-") || matches!(name.as_str(), "content-type" | "cache-control")
        };
        self.headers
            .iter()
            .filter(|(name, _)| is_kept(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// Returns how the request is counted. What tries whether the service keeps conditions is told apart.
    fn kind(&self, method: &Method) -> &'static str {
        if self.key.contains("builds/.conditions") {
            return "probe";
        }
        let copies = self.headers.contains_key("x-amz-copy-source");
        match method.as_str() {
            "GET" if self.key.is_empty() => "LIST",
            "GET" => "GET",
            "HEAD" => "HEAD",
            "PUT" if copies => "COPY",
            "PUT" => "PUT",
            "POST" => "POST",
            "DELETE" => "DELETE",
            _ => "other",
        }
    }
}

pub struct Service {
    pub shelf: Arc<Mutex<Shelf>>,
    pub tally: Arc<Tally>,
}

impl Service {
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub async fn answer(&self, request: Request<Incoming>) -> Result<Answered, Infallible> {
        let asked = Asked::new(&request);
        let method = request.method().clone();
        let refused = self.tally.request(asked.kind(&method), &format!("{method} {}", request.uri()));
        let body = self.receive(&asked, request.into_body()).await;
        let answer = if refused { failed(503, "SlowDown") } else { self.serve(&method, &asked, body) };
        self.tally.sent(hyper::body::Body::size_hint(answer.body()).exact().unwrap_or_default());
        Ok(answer)
    }

    async fn receive(&self, asked: &Asked, mut body: Incoming) -> Rope {
        let is_chunked = asked.header("x-amz-content-sha256").is_some_and(|told| told.starts_with("STREAMING-"));
        let mut chunked = is_chunked.then(Chunked::default);
        let mut pieces = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(piece) = frame.into_data() else { continue };
            self.tally.received(piece.len() as u64);
            match &mut chunked {
                Some(chunked) => chunked.take(piece, &mut pieces),
                None => pieces.push(piece),
            }
        }
        pieces.into()
    }

    fn serve(&self, method: &Method, asked: &Asked, body: Rope) -> Answered {
        let upload = asked.query("uploadId");
        match method.as_str() {
            "GET" | "HEAD" if !asked.key.is_empty() => self.get(asked, method == Method::HEAD),
            "GET" if asked.query("location").is_some() => xml("<LocationConstraint/>"),
            "GET" if asked.bucket.is_empty() => xml("<ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>"),
            "GET" if asked.query("uploads").is_some() => xml("<ListMultipartUploadsResult/>"),
            "GET" => self.list(asked),
            "PUT" | "HEAD" if asked.key.is_empty() => empty(200),
            "PUT" if upload.is_some() => self.put_part(asked, upload.unwrap_or_default(), body),
            "PUT" => self.put(asked, body),
            "POST" if asked.query("uploads").is_some() => self.begin(asked),
            "POST" if upload.is_some() => self.complete(asked, upload.unwrap_or_default(), &body),
            "DELETE" => {
                match upload {
                    Some(upload) => drop(self.shelf().uploads.remove(upload)),
                    None => drop(self.shelf().objects.remove(&asked.object())),
                }
                empty(204)
            }
            _ => failed(501, "NotImplemented"),
        }
    }

    fn get(&self, asked: &Asked, head: bool) -> Answered {
        let Some(stored) = self.shelf().objects.get(&asked.object()).cloned() else {
            return if head { empty(404) } else { failed(404, "NoSuchKey") };
        };
        if asked.header("if-match").is_some_and(|tag| tag.trim_matches('"') != stored.tag) {
            return failed(412, "PreconditionFailed");
        }
        let size = stored.content.size;
        let range = asked.header(RANGE.as_str()).and_then(|text| range(text, size));
        let mut answer = Response::builder().status(if range.is_some() { 206 } else { 200 });
        if let Some(range) = &range {
            answer = answer.header(CONTENT_RANGE, format!("bytes {}-{}/{size}", range.start, range.end - 1));
        }
        for (name, value) in &stored.headers {
            answer = answer.header(name, value);
        }
        answer = answer.header(ETAG, format!("\"{}\"", stored.tag)).header(LAST_MODIFIED, DAY.0);
        answer = answer.header("accept-ranges", "bytes");
        let content = range.map_or(stored.content.clone(), |range| stored.content.slice(range));
        if head {
            answer = answer.header("content-length", content.size);
        }
        answer.body(if head { Rope::default().into() } else { content.into() }).unwrap()
    }

    fn list(&self, asked: &Asked) -> Answered {
        let is_second = asked.query("list-type") == Some("2");
        let after = if is_second { ["continuation-token", "start-after"] } else { ["marker", "marker"] };
        let after = after.iter().find_map(|name| asked.query(name)).unwrap_or_default();
        let most = asked.query("max-keys").and_then(|most| most.parse().ok()).unwrap_or(1000);
        let (prefix, delimiter) =
            (asked.query("prefix").unwrap_or_default(), asked.query("delimiter").unwrap_or_default());
        let page = self.shelf().page(&asked.bucket, prefix, delimiter, after, most);
        let encodes = asked.query("encoding-type") == Some("url");
        let name = |key: &str| {
            let encoded = || utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
            if encodes { encoded() } else { key.replace('&', "&amp;").replace('<', "&lt;") }
        };
        let mut text = format!("<Name>{}</Name><Prefix>{}</Prefix>", asked.bucket, name(prefix));
        text += &format!("<KeyCount>{}</KeyCount><MaxKeys>{most}</MaxKeys>", page.objects.len() + page.prefixes.len());
        text += &format!("<IsTruncated>{}</IsTruncated>", page.next.is_some());
        if encodes {
            text += "<EncodingType>url</EncodingType>";
        }
        if let Some(next) = &page.next {
            let tag = if is_second { "NextContinuationToken" } else { "NextMarker" };
            text += &format!("<{tag}>{}</{tag}>", name(next));
        }
        for (key, size, tag) in &page.objects {
            let dated = format!("<LastModified>{}</LastModified><ETag>\"{tag}\"</ETag>", DAY.1);
            text += &format!("<Contents><Key>{}</Key>{dated}<Size>{size}</Size>", name(key));
            text += "<StorageClass>STANDARD</StorageClass></Contents>";
        }
        for prefix in &page.prefixes {
            text += &format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", name(prefix));
        }
        xml(&format!("<ListBucketResult>{text}</ListBucketResult>"))
    }

    fn put(&self, asked: &Asked, body: Rope) -> Answered {
        let mut shelf = self.shelf();
        if let Err((status, code)) = admit(asked, &shelf) {
            return failed(status, code);
        }
        let Some(source) = asked.header("x-amz-copy-source") else {
            let tag = shelf.place(&asked.object(), body, asked.kept());
            return Response::builder().header(ETAG, format!("\"{tag}\"")).body(Rope::default().into()).unwrap();
        };
        match copied(asked, source, &shelf) {
            Ok(content) => {
                let tag = shelf.place(&asked.object(), content, asked.kept());
                xml(&copy_result("CopyObjectResult", &tag))
            }
            Err((status, code)) => failed(status, code),
        }
    }

    fn put_part(&self, asked: &Asked, upload: &str, body: Rope) -> Answered {
        let Some(number) = asked.query("partNumber").and_then(|number| number.parse().ok()) else {
            return failed(400, "InvalidArgument");
        };
        let mut shelf = self.shelf();
        let source = asked.header("x-amz-copy-source");
        let content = match source.map_or(Ok(body), |source| copied(asked, source, &shelf)) {
            Ok(content) => content,
            Err((status, code)) => return failed(status, code),
        };
        let tag = shelf.unique();
        let Some(upload) = shelf.uploads.get_mut(upload) else { return failed(404, "NoSuchUpload") };
        upload.parts.insert(number, content);
        match source {
            Some(_) => xml(&copy_result("CopyPartResult", &tag)),
            None => Response::builder().header(ETAG, format!("\"{tag}\"")).body(Rope::default().into()).unwrap(),
        }
    }

    fn begin(&self, asked: &Asked) -> Answered {
        let mut shelf = self.shelf();
        let id = shelf.unique();
        let upload = Upload { object: asked.object(), headers: asked.kept(), ..Upload::default() };
        shelf.uploads.insert(id.clone(), upload);
        let (bucket, key) = (&asked.bucket, &asked.key);
        xml(&format!(
            "<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{key}</Key><UploadId>{id}</UploadId>\
             </InitiateMultipartUploadResult>"
        ))
    }

    fn complete(&self, asked: &Asked, id: &str, body: &Rope) -> Answered {
        let mut shelf = self.shelf();
        let Some(mut upload) = shelf.uploads.remove(id) else { return failed(404, "NoSuchUpload") };
        if let Err((status, code)) = admit(asked, &shelf) {
            shelf.uploads.insert(id.to_owned(), upload);
            return failed(status, code);
        }
        let text = body.text();
        let numbers = text.split("<PartNumber>").skip(1).filter_map(|rest| rest.split('<').next()?.trim().parse().ok());
        let mut content = Rope::default();
        for number in numbers.collect::<Vec<u32>>() {
            match upload.parts.remove(&number) {
                Some(part) => content.append(part),
                None => return failed(400, "InvalidPart"),
            }
        }
        let tag = shelf.place(&upload.object, content, upload.headers);
        let (bucket, key) = (&asked.bucket, &asked.key);
        xml(&format!(
            "<CompleteMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{key}</Key><ETag>\"{tag}\"</ETag>\
             </CompleteMultipartUploadResult>"
        ))
    }
}

/// Says whether a write's conditions hold.
fn admit(asked: &Asked, shelf: &Shelf) -> Result<(), Refusal> {
    let stored = shelf.objects.get(&asked.object());
    if asked.header("if-none-match") == Some("*") && stored.is_some() {
        return Err((412, "PreconditionFailed"));
    }
    match (asked.header("if-match"), stored) {
        (Some(_), None) => Err((404, "NoSuchKey")),
        (Some(tag), Some(stored)) if tag.trim_matches('"') != stored.tag => Err((412, "PreconditionFailed")),
        _ => Ok(()),
    }
}

fn copied(asked: &Asked, source: &str, shelf: &Shelf) -> Result<Rope, Refusal> {
    let source = percent_decode_str(source).decode_utf8_lossy();
    let Some(stored) = shelf.objects.get(source.trim_start_matches('/')) else { return Err((404, "NoSuchKey")) };
    if asked.header("x-amz-copy-source-if-match").is_some_and(|tag| tag.trim_matches('"') != stored.tag) {
        return Err((412, "PreconditionFailed"));
    }
    let range = asked.header("x-amz-copy-source-range").and_then(|text| range(text, stored.content.size));
    Ok(range.map_or_else(|| stored.content.clone(), |range| stored.content.slice(range)))
}

/// Reads `bytes=FIRST-[LAST]`.
fn range(text: &str, size: u64) -> Option<Range<u64>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let end = last.parse().map_or(size, |last: u64| size.min(last + 1));
    Some(first.parse().ok()?..end).filter(|range| range.start < range.end)
}

fn copy_result(name: &str, tag: &str) -> String {
    format!("<{name}><LastModified>{}</LastModified><ETag>\"{tag}\"</ETag></{name}>", DAY.1)
}

fn answered(status: u16, text: String) -> Answered {
    let body = Rope::from(vec![Bytes::from(text)]).into();
    Response::builder().status(status).header("content-type", "application/xml").body(body).unwrap()
}

fn xml(text: &str) -> Answered {
    answered(200, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}"))
}

fn failed(status: u16, code: &str) -> Answered {
    answered(status, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code></Error>"))
}

fn empty(status: u16) -> Answered {
    Response::builder().status(status).body(Rope::default().into()).unwrap()
}
