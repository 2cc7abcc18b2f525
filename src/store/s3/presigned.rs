//! URLs by which anybody reads an object for a while.

use std::time::SystemTime;

use aws_sdk_s3::config::http::HttpRequest;
use aws_sdk_s3::presigning::PresigningConfig;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::bucket::Bucket;
use crate::moment::Moment;
use crate::store::{Ending, Key, Presigned, StoreError, Validity};

/// What begins each header that has a meaning of S3's own.
const OWN: &str = "x-amz-";

/// What a URL has that was signed with credentials which end by themselves.
const TOKEN: &str = "X-Amz-Security-Token=";

/// Signs a URL of an object, as for the region in which the bucket turned out to be.
pub(super) async fn presigned(bucket: &Bucket, key: &Key, validity: Validity) -> Result<Presigned, StoreError> {
    let (object, now) = (bucket.object(key), SystemTime::now());
    let config = PresigningConfig::builder().start_time(now).expires_in(validity.length()).build();
    let config = config.expect("because S3 lets a URL be good for as long as any validity is");
    let sign = |client: aws_sdk_s3::Client| {
        let get = client.get_object().bucket(&bucket.name).key(&object).customize();
        get.mutate_request(into_query).presigned(config.clone())
    };
    let signed = bucket.ask(sign).await.map_err(|failed| bucket.error(&key.to_string(), failed.of_reading()))?;
    let url = signed.uri().to_owned();
    let asked = Moment::of_seconds(Moment::of(now).seconds().saturating_add(validity.length().as_secs()));
    let (until, ending) = match bucket.keys_end().map(Moment::of) {
        Some(ends) if ends < asked => (ends, Ending::Credentials),
        None if url.contains(TOKEN) => (asked, Ending::Either),
        Some(_) | None => (asked, Ending::Asked),
    };
    Ok(Presigned { url, until, ending })
}

/// Says in the URL what a request would say in headers: whoever opens it sends none of them, and S3 takes them from there as well.
fn into_query(request: &mut HttpRequest) {
    let own = request.headers().iter().filter(|(name, _)| name.starts_with(OWN));
    let own: Vec<(String, String)> = own.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut uri = request.uri().to_owned();
    for (name, value) in own {
        request.headers_mut().remove(&name);
        uri.push(if uri.contains('?') { '&' } else { '?' });
        uri.push_str(&format!("{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC)));
    }
    // It was a URL, and nothing was added that none can have.
    drop(request.set_uri(uri));
}
