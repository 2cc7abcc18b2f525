//! Whether all of an answer came.

use aws_sdk_s3::config::interceptors::AfterDeserializationInterceptorContextRef;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;

/// Refuses answers whose document ends early. The SDK takes what it has read of one for all, so that a listing which lost its end on the
/// way would be a shorter one.
#[derive(Debug)]
pub(super) struct Whole;

impl Intercept for Whole {
    fn name(&self) -> &'static str {
        "Whole"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // An object's own bytes are not read yet, whatever they are.
        let body = context.response().body().bytes().unwrap_or_default();
        let text = std::str::from_utf8(body).map(str::trim).unwrap_or_default();
        if context.output_or_error().is_ok() && !is_whole(text) {
            return Err("the document in the answer ends early".into());
        }
        Ok(())
    }
}

/// Says whether a document ends with the end of what it begins with; what is no document is whole as it is.
fn is_whole(text: &str) -> bool {
    let document = match text.strip_prefix("<?xml") {
        Some(rest) => rest.split_once("?>").map_or("", |(_, document)| document.trim_start()),
        None => text,
    };
    let Some(begun) = document.strip_prefix('<') else { return !text.starts_with("<?xml") };
    let name = begun.split(|c: char| c == '>' || c == '/' || c.is_whitespace()).next().unwrap_or_default();
    let end = document.strip_suffix('>').map(str::trim_end);
    end.is_some_and(|end| end.ends_with('/') && end.matches('<').count() == 1 || end.ends_with(&format!("</{name}")))
}
