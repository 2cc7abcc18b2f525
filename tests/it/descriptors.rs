//! What is done about the descriptors of this process: whatever a test has open, each child that another test has just started has open
//! too, until that child is another program.

use std::fs::{File, TryLockError};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Writes a script that may be started, in place of whatever is there. It is never open to be written here: the system would not start it
/// then ("Text file busy").
pub fn write_program(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "cat >\"$1\" && chmod 755 \"$1\"", "sh"]).arg(path);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success(), "{}", path.display());
}

/// Copies a program, in a process of its own too.
pub fn copy_program(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success(), "{}", to.display());
}

/// Says whether nobody has taken a file, or there is none. Whoever asks does not hold it, not even by a child.
pub fn is_free(path: &Path) -> bool {
    if !std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file()) {
        return true;
    }
    let Ok(file) = File::open(path) else { return true };
    match file.try_lock_shared() {
        Ok(()) => {
            file.unlock().unwrap();
            true
        }
        Err(TryLockError::WouldBlock) => false,
        Err(TryLockError::Error(error)) => panic!("{}: {error}", path.display()),
    }
}
