//! The pager: another program, in which people read what is longer than their terminal is high.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};

/// How much of a text is remembered until somebody must have read of it: far more than a pipe holds.
const REMEMBERED: usize = 1 << 20;

/// What makes a command one for a shell (source: git's `run-command.c`, `prepare_shell_cmd`).
const FOR_SHELLS: &[u8] = b"|&;<>()$`\\\"' \t\n*?[#~=%";

/// The exit statuses with which a shell says that it cannot run a program, or found none.
const NOT_RUN: [i32; 2] = [126, 127];

/// Says which program is the pager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// The program, or a line for a shell.
    pub command: OsString,
    /// Who chose it; nobody where it is the one that there usually is.
    pub chosen_by: Option<&'static str>,
    /// Variables that are set for it.
    pub variables: Vec<(&'static str, &'static str)>,
}

/// Holds a pager that runs.
#[derive(Debug)]
pub struct Pager {
    child: Child,
    pipe: Option<ChildStdin>,
    /// What was given to it, as long as it may be that nobody read any of it.
    remembered: Option<Vec<u8>>,
}

impl Pager {
    /// Starts a pager in the terminal that standard output is.
    ///
    /// # Errors
    /// The system's, where there is no such program. What a shell would have to run is known to fail only at the end.
    pub fn start(choice: &Choice) -> io::Result<Self> {
        let mut command = command(&choice.command);
        command.envs(choice.variables.iter().copied()).stdin(Stdio::piped());
        let mut child = command.spawn()?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe, remembered: Some(Vec::new()) })
    }

    /// Gives it more to show.
    ///
    /// # Errors
    /// [`io::ErrorKind::BrokenPipe`] where nobody reads any more.
    pub fn write(&mut self, text: &[u8]) -> io::Result<()> {
        let Some(pipe) = &mut self.pipe else { return Err(io::ErrorKind::BrokenPipe.into()) };
        if let Some(remembered) = &mut self.remembered {
            remembered.extend_from_slice(text);
        }
        pipe.write_all(text)?;
        self.remembered.take_if(|remembered| remembered.len() > REMEMBERED);
        Ok(())
    }

    /// Says that there is no more to show, and waits until whoever reads has read enough: until then the terminal is the pager's.
    ///
    /// Where it turns out that it never ran, returns what it was given.
    ///
    /// # Errors
    /// The system's.
    pub fn end(mut self) -> io::Result<Option<Vec<u8>>> {
        drop(self.pipe.take());
        let status = self.child.wait()?;
        let ran = status.code().is_none_or(|code| !NOT_RUN.contains(&code));
        Ok(self.remembered.filter(|_| !ran))
    }
}

/// Runs a plain word as it is, so that it is known at once where there is no such program, and all else in a shell.
fn command(line: &OsStr) -> Command {
    if line.as_encoded_bytes().iter().any(|byte| FOR_SHELLS.contains(byte)) {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(line);
        return shell;
    }
    Command::new(line)
}
