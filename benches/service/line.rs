//! A connection with a round trip of its own: each direction takes half of it, and to open one costs a whole one.
//!
//! A service on the same machine is reached at once, which flatters whoever asks one thing after the other. The delay does not limit how much
//! goes through: what is on its way waits in memory. Timers are exact to a millisecond.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::{Instant, Sleep, sleep_until};

/// What is on its way, and when it arrives.
type Flight = (Instant, Bytes);

pub struct Line {
    arriving: UnboundedReceiver<Flight>,
    next: Option<Bytes>,
    timer: Pin<Box<Sleep>>,
    leaving: Option<UnboundedSender<Flight>>,
    half: Duration,
}

impl Line {
    pub fn new(stream: TcpStream, round_trip: Duration) -> Self {
        let (reader, writer) = stream.into_split();
        let (arrives, arriving) = unbounded_channel();
        let (leaving, leaves) = unbounded_channel();
        let half = round_trip / 2;
        // Whoever connects believes at once that the connection is open: in truth nothing could be sent before a round trip had passed.
        tokio::spawn(read(reader, arrives, Instant::now() + round_trip, half));
        tokio::spawn(write(writer, leaves));
        Self { arriving, next: None, timer: Box::pin(sleep_until(Instant::now())), leaving: Some(leaving), half }
    }
}

async fn read(mut reader: OwnedReadHalf, arrives: UnboundedSender<Flight>, open: Instant, half: Duration) {
    loop {
        let mut bytes = Vec::with_capacity(256 << 10);
        match reader.read_buf(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {
                if arrives.send((Instant::now().max(open) + half, bytes.into())).is_err() {
                    return;
                }
            }
        }
    }
}

async fn write(mut writer: OwnedWriteHalf, mut leaves: UnboundedReceiver<Flight>) {
    while let Some((due, bytes)) = leaves.recv().await {
        sleep_until(due).await;
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
    }
    drop(writer.shutdown().await);
}

impl AsyncRead for Line {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.next.is_none() {
            let Some((due, bytes)) = ready!(self.arriving.poll_recv(cx)) else { return Poll::Ready(Ok(())) };
            self.timer.as_mut().reset(due);
            self.next = Some(bytes);
        }
        if !self.timer.is_elapsed() {
            ready!(self.timer.as_mut().poll(cx));
        }
        if let Some(bytes) = &mut self.next {
            let size = bytes.len().min(buffer.remaining());
            buffer.put_slice(&bytes.split_to(size));
            if !bytes.has_remaining() {
                self.next = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Line {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let flight = (Instant::now() + self.half, Bytes::copy_from_slice(bytes));
        let sent = self.leaving.as_ref().is_some_and(|leaving| leaving.send(flight).is_ok());
        Poll::Ready(if sent { Ok(bytes.len()) } else { Err(io::ErrorKind::BrokenPipe.into()) })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.leaving = None;
        Poll::Ready(Ok(()))
    }
}
