//! Windows: how many addresses are looked at together.

use crate::address::Commit;

/// How many ancestors the first window has; each further one has twice as many, up to the number of jobs.
pub(super) const FIRST_WINDOW: usize = 8;

/// Returns the width of the window after one. Where metafiles tell the history ahead, to read them costs requests too.
pub(super) fn wider(width: usize, learns: bool) -> usize {
    if learns && width > FIRST_WINDOW { width.saturating_mul(8) / 5 } else { width.saturating_mul(2) }
}

/// Cuts commits into windows of growing width.
pub fn windows(commits: &[Commit], jobs: usize) -> Vec<Vec<Commit>> {
    let mut rest = commits;
    let mut width = FIRST_WINDOW.min(jobs);
    let mut windows = Vec::new();
    while !rest.is_empty() {
        let (window, further) = rest.split_at(width.min(rest.len()));
        windows.push(window.to_vec());
        rest = further;
        width = width.saturating_mul(2).min(jobs);
    }
    windows
}
