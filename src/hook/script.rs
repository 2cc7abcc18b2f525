//! The text of a hook: a few lines of POSIX shell that lie in `hooks/`, to be copied by hand or installed.

use super::Hook;

/// How the second line of each of our hooks begins, in every version of this program: what begins so is ours to rewrite and to remove.
const MARK: &[u8] = b"# Gives each new commit its metafile.";

/// The line that says where the program was when the hook was installed.
const INSTALLED: &str = "installed=''";

/// Holds the text of a hook that is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script(Vec<u8>);

impl Script {
    /// Makes the hook that is installed; `program` is where it finds the program where that is not on its path.
    #[must_use]
    pub fn new(hook: Hook, program: Option<&[u8]>) -> Self {
        let text = match hook {
            Hook::PostCommit => include_str!("../../hooks/post-commit"),
            Hook::PostMerge => include_str!("../../hooks/post-merge"),
            Hook::PostRewrite => include_str!("../../hooks/post-rewrite"),
            Hook::PostApplypatch => include_str!("../../hooks/post-applypatch"),
            Hook::PrePush => include_str!("../../hooks/pre-push"),
            Hook::PostReceive => include_str!("../../hooks/post-receive"),
        };
        let (before, after) = text.split_once(INSTALLED).expect("because each hook has such a line");
        let program = program.map(quoted).unwrap_or_default();
        Self([before.as_bytes(), b"installed='", &program, b"'", after.as_bytes()].concat())
    }

    /// Recognises a hook of any version of this program; none where the text is somebody else's.
    #[must_use]
    pub fn read(text: &[u8]) -> Option<Self> {
        let second = text.split(|&byte| byte == b'\n').nth(1)?;
        second.starts_with(MARK).then(|| Self(text.to_owned()))
    }

    /// Returns the text.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.0
    }

    /// Returns where it says that the program was when it was installed.
    #[must_use]
    pub fn program(&self) -> Option<Vec<u8>> {
        let line = self.0.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"installed='"))?;
        let quoted = line.strip_suffix(b"'")?;
        let mut program = Vec::new();
        let mut rest = quoted;
        while let Some((first, more)) = rest.split_first() {
            (program, rest) = match rest.strip_prefix(QUOTE) {
                Some(more) => ([program.as_slice(), b"'"].concat(), more),
                None => ([program.as_slice(), &[*first]].concat(), more),
            };
        }
        (!program.is_empty()).then_some(program)
    }

    /// Says whether it is what this version installs, wherever the program was.
    #[must_use]
    pub fn is_current(&self, hook: Hook) -> bool {
        *self == Self::new(hook, self.program().as_deref())
    }
}

/// How a quotation mark is written between two of them.
const QUOTE: &[u8] = br"'\''";

/// Returns what stands between quotation marks for the shell. A path of several lines is not recorded: the hook's line is one.
fn quoted(program: &[u8]) -> Vec<u8> {
    if program.contains(&b'\n') {
        return Vec::new();
    }
    program.iter().flat_map(|byte| if *byte == b'\'' { QUOTE } else { std::slice::from_ref(byte) }).copied().collect()
}

impl Hook {
    /// Returns the line that calls the program from somebody else's hook. It never fails, be the program there or not.
    #[must_use]
    pub fn line(self) -> String {
        format!("if command -v metalogic >/dev/null 2>&1; then {} \"$@\"; fi", self.call())
    }

    /// Says whether somebody else's hook calls the program: a line does, that is no comment.
    #[must_use]
    pub fn is_called_by(self, text: &[u8]) -> bool {
        let text = String::from_utf8_lossy(text);
        text.lines().map(str::trim_start).any(|line| !line.starts_with('#') && line.contains(&self.call()))
    }

    fn call(self) -> String {
        format!("metalogic stub --hook {}", self.name())
    }
}
