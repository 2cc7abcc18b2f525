//! How far the bytes of a request have come: for whoever watches, and for whoever must not wait for ever.

use std::convert::Infallible;
use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use aws_sdk_s3::config::interceptors::BeforeTransmitInterceptorContextMut;
use aws_sdk_s3::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_s3::error::BoxError;
use aws_sdk_s3::primitives::SdkBody;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::time::Instant;

use crate::store::Progress;

/// How many bytes of a body are handed to the connection at once: few, so that it shows when the other side takes no more.
const SLICE: usize = 64 << 10;

/// Counts the bytes of one piece on its way. What is sent again after a failure is not counted again.
#[derive(Default)]
pub(super) struct Meter {
    progress: Option<Progress>,
    told: AtomicU64,
    moved: AtomicU64,
}

impl Meter {
    pub(super) fn new(progress: Progress) -> Self {
        Self { progress: Some(progress), ..Self::default() }
    }

    /// Begins anew to count what moves, for a piece that is sent once more.
    pub(super) fn rewind(&self) {
        self.moved.store(0, Ordering::Relaxed);
    }

    /// Notes that the first so many bytes have moved.
    pub(super) fn reach(&self, bytes: u64) {
        self.moved.fetch_max(bytes, Ordering::Relaxed);
        let before = self.told.fetch_max(bytes, Ordering::Relaxed);
        if let Some(progress) = &self.progress
            && before < bytes
        {
            progress(bytes - before);
        }
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Meter").field("moved", &self.moved).finish_non_exhaustive()
    }
}

/// Waits for an answer for as long as bytes move, and then for `limit`; none where it did not come.
pub(super) async fn watch<T>(limit: Duration, meter: &Meter, act: impl Future<Output = T>) -> Option<T> {
    let mut act = pin!(act);
    let (mut seen, mut since) = (meter.moved.load(Ordering::Relaxed), Instant::now());
    let step = (limit / 8).max(Duration::from_millis(1));
    loop {
        let left = limit.saturating_sub(since.elapsed());
        if let Ok(answer) = tokio::time::timeout(step.min(left), &mut act).await {
            return Some(answer);
        }
        let moved = meter.moved.load(Ordering::Relaxed);
        if moved > seen {
            (seen, since) = (moved, Instant::now());
        } else if since.elapsed() >= limit {
            return None;
        }
    }
}

/// Has a request's body pass a meter. It does so when checksum and signature are made, which want the body whole.
#[derive(Debug)]
pub(super) struct Metered {
    /// The body.
    pub(super) bytes: Bytes,
    /// What it passes.
    pub(super) meter: Arc<Meter>,
}

impl Intercept for Metered {
    fn name(&self) -> &'static str {
        "Metered"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.request_mut().body_mut();
        // Where the SDK wrapped the body in a coding of its own, that must go out as it is.
        if body.bytes().is_some_and(|bytes| bytes.len() == self.bytes.len()) {
            let (rest, meter) = (self.bytes.clone(), Arc::clone(&self.meter));
            *body = SdkBody::from_body_1_x(Slices { rest, sent: 0, meter });
        }
        Ok(())
    }
}

/// Gives a body in slices.
struct Slices {
    rest: Bytes,
    sent: u64,
    meter: Arc<Meter>,
}

impl http_body::Body for Slices {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let count = SLICE.min(self.rest.len());
        let slice = self.rest.split_to(count);
        if slice.is_empty() {
            return Poll::Ready(None);
        }
        self.sent += count as u64;
        self.meter.reach(self.sent);
        Poll::Ready(Some(Ok(Frame::data(slice))))
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.rest.len() as u64)
    }
}
