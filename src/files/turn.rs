//! How many large files are under way at once.

use tokio::sync::{Semaphore, SemaphorePermit};

/// How many: each has its connections and what they have read in memory, and a few of them fill any line.
const MOST: usize = 8;

static TURNS: Semaphore = Semaphore::const_new(MOST);

/// Waits until one more large file may be under way, which it is for as long as what is returned lives.
pub async fn turn() -> Option<SemaphorePermit<'static>> {
    TURNS.acquire().await.ok()
}
