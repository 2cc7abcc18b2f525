//! Going on after the process that began has ended.

use std::ffi::OsString;
use std::io;
use std::process::{Command, Stdio};

/// Starts this program once more, with no stream that anybody could wait for, and leaves it alone.
///
/// # Errors
/// The system's.
pub fn go_on(arguments: &[OsString]) -> io::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    #[cfg(windows)]
    {
        use std::os::windows::process::CommandExt as _;
        // DETACHED_PROCESS and CREATE_NEW_PROCESS_GROUP: no console, and no Ctrl-C of one.
        command.creation_flags(0x0000_0008 | 0x0000_0200);
    }
    // Nobody waits for it: when this process ends, the system does.
    command.spawn().map(drop)
}

/// Leaves the session and the terminal of whoever started this process, and closes what it inherited beside the three streams: a lock or a
/// pipe of somebody who waits for it. Nothing may have been opened yet.
pub fn leave() {
    #[cfg(unix)]
    {
        // A process that leads a group is in a session of its own already, or as good as.
        let _ = nix::unistd::setsid();
        let open = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
        let open: Vec<i32> = open.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
            // The one by which the others were listed is closed already.
            let _ = nix::unistd::close(descriptor);
        }
    }
}
