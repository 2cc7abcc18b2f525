//! The names that files get in a directory: somebody else may have chosen them.

use std::path::{Path, PathBuf};

use crate::artifact::is_device;
use crate::files::DRAFT;
use crate::location::FileName;
use crate::words::is_unseen;

/// The longest name of a file that common file systems keep, in bytes.
const LONGEST: usize = 255;

/// Says why a directory of this machine gets no file of this name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnfitName {
    /// It is longer than common file systems keep.
    #[error("a file has a name of at most {LONGEST} bytes, this has {0}")]
    Long(usize),
    /// It does not look as it is.
    #[error("it has '{}', which is not seen", .0.escape_debug())]
    Unseen(char),
    /// It is the name of what this program has not finished, and has it swept away in the end.
    #[error("names that begin with {DRAFT} are for what this program has not finished")]
    Draft,
    /// Windows takes it for a path, a drive or a pattern.
    #[error("Windows has no file with '{}' in its name", .0.escape_debug())]
    Character(char),
    /// Windows drops its end, and it is another name then.
    #[error("Windows drops the '{0}' at its end")]
    End(char),
    /// Windows takes it for a device.
    #[error("a Windows device has this name")]
    Device,
}

/// Says whose rules for the names of files count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rules {
    /// Those of Windows, and what is refused everywhere.
    Windows,
    /// What is refused everywhere: on other systems a name without a slash is a name.
    Other,
}

impl Rules {
    /// Those of this machine.
    pub const OWN: Self = if cfg!(windows) { Self::Windows } else { Self::Other };
}

/// Returns where in a directory a file of this name is: always in that directory itself.
///
/// # Errors
/// [`UnfitName`]; a file can be named otherwise.
pub fn within(directory: &Path, name: &FileName, rules: Rules) -> Result<PathBuf, UnfitName> {
    let name = name.to_string();
    if let Some(unseen) = name.chars().find(|&c| is_unseen(c)) {
        return Err(UnfitName::Unseen(unseen));
    }
    if name.len() > LONGEST {
        return Err(UnfitName::Long(name.len()));
    }
    if name.starts_with(DRAFT) {
        return Err(UnfitName::Draft);
    }
    match rules {
        Rules::Windows => expect_windows(&name)?,
        Rules::Other => {}
    }
    Ok(directory.join(name))
}

/// Refuses what is no file's name on Windows (source: "Naming Files, Paths, and Namespaces").
fn expect_windows(name: &str) -> Result<(), UnfitName> {
    let taken = |c: &char| matches!(c, '<' | '>' | ':' | '"' | '/' | '\\' | '|' | '?' | '*');
    if is_device(name) {
        return Err(UnfitName::Device);
    }
    if let Some(taken) = name.chars().find(taken) {
        return Err(UnfitName::Character(taken));
    }
    match name.chars().last() {
        Some(end @ ('.' | ' ')) => Err(UnfitName::End(end)),
        Some(_) | None => Ok(()),
    }
}
