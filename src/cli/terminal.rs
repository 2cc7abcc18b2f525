//! Lines that a person types.
//!
//! A terminal edits lines by itself, and no more is needed: no list to choose from, nothing to complete. What libraries for prompts add would have
//! to be undone, since they put the terminal into another mode, and a run that is ended in the middle would leave it there.

use std::io::BufRead as _;

use tokio::sync::oneshot;

use crate::report::Report;

/// Says whether a question was answered, and ends its line where it was not.
struct Open<'r>(Option<(&'r Report, &'r str)>);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        if let Some((report, else_say)) = self.0 {
            report.ask(&format!("\n{else_say}\n"));
        }
    }
}

/// Asks on one line, and waits for the next that is typed; none where the input ends. Where the run is ended meanwhile, it says how things are
/// left.
///
/// It is read by a thread that nobody waits for: whoever interrupts the run is not held up by it.
pub(super) async fn line(report: &Report, prompt: &str, else_say: &str) -> std::io::Result<Option<Vec<u8>>> {
    report.ask(prompt);
    let mut open = Open(Some((report, else_say)));
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().read_until(b'\n', &mut bytes);
        // Nobody listens any more where the run was interrupted.
        drop(tell.send(read.map(|_| bytes)));
    });
    let read = told.await;
    open.0 = None;
    // A line that was not ended was not meant.
    let line = read.map_err(std::io::Error::other)?.map(|bytes| bytes.strip_suffix(b"\n").map(<[u8]>::to_vec))?;
    if line.is_none() {
        report.ask("\n");
    }
    Ok(line)
}
