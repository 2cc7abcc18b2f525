//! Bytes as they came: nothing is copied on the way in or out.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

#[derive(Debug, Clone, Default)]
pub struct Rope {
    pieces: Vec<Bytes>,
    pub size: u64,
}

impl From<Vec<Bytes>> for Rope {
    fn from(pieces: Vec<Bytes>) -> Self {
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        Self { pieces, size }
    }
}

impl Rope {
    pub fn append(&mut self, other: Self) {
        self.size += other.size;
        self.pieces.extend(other.pieces);
    }

    pub fn slice(&self, range: Range<u64>) -> Self {
        let (mut begin, mut pieces) = (0, Vec::new());
        for piece in &self.pieces {
            let end = begin + piece.len() as u64;
            let (from, to) = (range.start.max(begin), range.end.min(end));
            if from < to {
                pieces.push(piece.slice((from - begin) as usize..(to - begin) as usize));
            }
            begin = end;
        }
        pieces.into()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.pieces.concat()).into_owned()
    }
}

/// An answer's body.
pub struct Answer {
    pieces: VecDeque<Bytes>,
    left: u64,
}

impl From<Rope> for Answer {
    fn from(rope: Rope) -> Self {
        Self { left: rope.size, pieces: rope.pieces.into() }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let piece = self.pieces.pop_front();
        self.left -= piece.as_ref().map_or(0, |piece| piece.len() as u64);
        Poll::Ready(piece.map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.pieces.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
