//! Standard output for answers that come bit by bit: in a pager where a person reads them, and without making the run wait to be ended.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use anstream::{AutoStream, ColorChoice};
use tokio::sync::mpsc::{self, Receiver, Sender};

use crate::cli::session::Session;
use crate::failure::OutputClosed;
use crate::pager::{Choice, Pager};
use crate::report::Report;
use crate::words;

/// How many pieces wait to be written before whoever makes them waits.
const WAITING: usize = 16;

/// Takes an answer piece by piece. Each is written as soon as whoever reads has room for it.
pub(crate) struct Outlet(Sender<String>);

/// Writes the pieces, in a thread that may wait for a reader as long as it takes.
pub(crate) struct Writing {
    thread: JoinHandle<io::Result<()>>,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Whether a pager has the terminal.
    is_paging: AtomicBool,
    /// Whether what waits need not be written any more.
    is_over: AtomicBool,
}

impl Outlet {
    /// Has a piece written. It may have styles; what others wrote in it must be plain already.
    pub(crate) async fn write(&self, text: String) -> Result<(), OutputClosed> {
        self.0.send(text).await.map_err(|_| OutputClosed)
    }

    /// Says whether the next piece would have to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.0.capacity() == 0
    }
}

impl Session {
    /// Opens standard output for an answer that comes bit by bit. A person reads it in the pager that git takes for its command of this name,
    /// unless they do not want one.
    pub(crate) fn outlet(&self, command: &str, pages: bool) -> anyhow::Result<Outlet> {
        let pages = pages && !self.json && io::stdout().is_terminal();
        let choice = if pages { self.config.pager(command)? } else { None };
        let (sender, pieces) = mpsc::channel(WAITING);
        let shared = Arc::new(Shared::default());
        let writer = Writer { choice, json: self.json, shared: Arc::clone(&shared), report: Arc::clone(&self.report) };
        let thread = std::thread::Builder::new().spawn(move || writer.run(pieces))?;
        self.write_until_the_end(Writing { thread, shared });
        Ok(Outlet(sender))
    }
}

impl Writing {
    /// Waits until all is written, and until the pager gives the terminal back. Where the run is cut short, only for that.
    pub(crate) fn finish(self, cut_short: bool) -> io::Result<()> {
        if cut_short {
            self.shared.is_over.store(true, Ordering::SeqCst);
            if !self.shared.is_paging.load(Ordering::SeqCst) {
                return Ok(());
            }
        }
        self.thread.join().unwrap_or_else(|_| Err(io::Error::other("it stopped half-way")))
    }
}

struct Writer {
    choice: Option<Choice>,
    json: bool,
    shared: Arc<Shared>,
    report: Arc<Report>,
}

impl Writer {
    fn run(self, mut pieces: Receiver<String>) -> io::Result<()> {
        // A pager that is started before there is anything to read would only flicker.
        let Some(mut text) = next(&mut pieces) else { return Ok(()) };
        if let Some(mut pager) = self.start() {
            while !self.is_over() && pager.write(self.dressed(&text).as_bytes()).is_ok() {
                match next(&mut pieces) {
                    Some(piece) => text = piece,
                    None => break,
                }
            }
            let unread = pager.end();
            self.shared.is_paging.store(false, Ordering::SeqCst);
            let Some(unread) = unread? else { return Ok(()) };
            // The shell has said that it found no such program.
            text = String::from_utf8_lossy(&unread).into_owned();
        }
        loop {
            match self.print(&text) {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written?,
            }
            match next(&mut pieces).filter(|_| !self.is_over()) {
                Some(piece) => text = piece,
                None => return Ok(()),
            }
        }
    }

    fn start(&self) -> Option<Pager> {
        let choice = self.choice.as_ref()?;
        self.shared.is_paging.store(true, Ordering::SeqCst);
        let started = Pager::start(choice);
        if let (Err(error), Some(by)) = (&started, choice.chosen_by) {
            let command = choice.command.to_string_lossy();
            self.report.warning(&format!("the pager {command} ({by}) cannot be started: {error}"));
        }
        self.shared.is_paging.store(started.is_ok(), Ordering::SeqCst);
        started.ok()
    }

    fn is_over(&self) -> bool {
        self.shared.is_over.load(Ordering::SeqCst)
    }

    /// Returns a piece with its styles where the terminal that the pager is in shows them.
    fn dressed(&self, text: &str) -> String {
        match AutoStream::choice(&io::stdout()) {
            ColorChoice::Never => anstream::adapter::strip_str(text).to_string(),
            ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => text.to_owned(),
        }
    }

    fn print(&self, text: &str) -> io::Result<()> {
        if self.json {
            let mut out = io::stdout().lock();
            return out.write_all(words::json(text).as_bytes()).and_then(|()| out.flush());
        }
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush())
    }
}

/// Returns all that waits to be written; none once no more will come.
fn next(pieces: &mut Receiver<String>) -> Option<String> {
    let mut text = pieces.blocking_recv()?;
    while let Ok(piece) = pieces.try_recv() {
        text.push_str(&piece);
    }
    Some(text)
}
