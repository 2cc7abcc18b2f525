//! Bodies in `aws-chunked` encoding, as SDKs send them with a checksum at the end.

use bytes::{Buf as _, Bytes, BytesMut};

/// Takes the chunks' sizes, signatures and trailers away, piece by piece.
#[derive(Default)]
pub struct Chunked {
    line: BytesMut,
    left: usize,
    /// How many bytes of the line break after a chunk are still to come.
    after: usize,
    ended: bool,
}

impl Chunked {
    /// Returns what a piece of the body has in it.
    pub fn take(&mut self, mut piece: Bytes, into: &mut Vec<Bytes>) {
        while !piece.is_empty() && !self.ended {
            if self.left > 0 {
                let part = piece.split_to(self.left.min(piece.len()));
                self.left -= part.len();
                self.after = if self.left == 0 { 2 } else { 0 };
                into.push(part);
            } else if self.after > 0 {
                piece.advance(1);
                self.after -= 1;
            } else {
                let byte = piece.get_u8();
                self.line.extend_from_slice(&[byte]);
                if byte == b'\n' {
                    self.begin();
                }
            }
        }
    }

    fn begin(&mut self) {
        let line = self.line.split().freeze();
        let digits = line[..].split(|byte| matches!(byte, b';' | b'\r')).next().unwrap_or_default();
        let size = std::str::from_utf8(digits).ok().and_then(|digits| usize::from_str_radix(digits, 16).ok());
        self.left = size.unwrap_or_default();
        self.ended = self.left == 0;
    }
}
