//! How long an answer may be that is held in memory whole.

use std::error::Error;
use std::pin::Pin;
use std::task::{Context, Poll};

use aws_sdk_s3::config::interceptors::BeforeDeserializationInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

/// The longest answer that is held in memory whole, in bytes. A page of a listing has a thousand keys, each of a kilobyte at most.
const LARGEST: u64 = 16 << 20;

/// Ends answers that never do. The SDK holds the whole of every answer but an object's own bytes, however long it is.
#[derive(Debug)]
pub(crate) struct Bounded;

impl Intercept for Bounded {
    fn name(&self) -> &'static str {
        "Bounded"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let is_of_object = settings.load::<Metadata>().is_some_and(|operation| operation.name() == "GetObject");
        if !(is_of_object && context.response().status().is_success()) {
            let body = context.response_mut().body_mut();
            let inner = std::mem::replace(body, SdkBody::taken());
            *body = SdkBody::from_body_1_x(Limited { inner, left: LARGEST });
        }
        Ok(())
    }
}

/// Gives a body up to a length.
struct Limited {
    inner: SdkBody,
    left: u64,
}

impl http_body::Body for Limited {
    type Data = Bytes;
    type Error = Box<dyn Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let polled = Pin::new(&mut self.inner).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            let length = frame.data_ref().map_or(0, |data| u64::try_from(data.len()).unwrap_or(u64::MAX));
            let Some(left) = self.left.checked_sub(length) else {
                let words = format!("the answer has more than {LARGEST} bytes, which no answer of this kind has");
                return Poll::Ready(Some(Err(words.into())));
            };
            self.left = left;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        http_body::Body::size_hint(&self.inner)
    }
}
