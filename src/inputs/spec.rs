//! One pathspec. It is read by a library; how it is held against a path is put together here, in the way of git's own `tree-walk.c`.

use gix_pathspec::attributes::glob::wildmatch::Mode;
use gix_pathspec::{Defaults, MagicSignature, SearchMode};

/// The longest pathspec, in bytes.
pub const LONGEST_SPEC: usize = 1000;

/// How many `*` a pathspec may have: what it costs to try one on a path doubles with some of them.
pub const MOST_STARS: usize = 16;

/// What makes a pattern of a path.
const SPECIAL: [u8; 4] = [b'*', b'?', b'[', b'\\'];

/// Holds a pathspec, relative to the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spec {
    /// What paths are held against: a path, or a pattern of one.
    path: Vec<u8>,
    /// How much of it is certainly no pattern.
    plain: usize,
    mode: SearchMode,
    signature: MagicSignature,
}

/// Says why a text is not a pathspec, or not one that is understood here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SpecError {
    /// The text is empty.
    #[error("a pathspec is not empty; all there is, is \".\"")]
    Empty,
    /// The text is longer than [`LONGEST_SPEC`].
    #[error("a pathspec has at most {LONGEST_SPEC} bytes, this has {0}")]
    Long(usize),
    /// The text has more than [`MOST_STARS`] stars.
    #[error("a pathspec has at most {MOST_STARS} '*', this has {0}")]
    Stars(usize),
    /// The text has a null byte, which no path has.
    #[error("no path has a null byte in it")]
    Null,
    /// The pathspec is about attributes, which a tree does not have.
    #[error("':(attr:...)' is not understood: inputs are told by paths alone")]
    Attributes,
    /// The path begins with a slash.
    #[error("inputs are relative to the top of the repository: leave the '/' out with which this path begins")]
    Absolute,
    /// The path has `..` in it, and leads out of the repository.
    #[error("this path leads out of the repository")]
    Outside,
    /// A bracket follows a sign such as `:!`; to git that is a part of the path.
    #[error(
        "to git, a '(' behind ':!' or ':/' is a part of the path: write ':(exclude)(...' for that, or ':(exclude,glob)...'"
    )]
    Mixed,
    /// Letters of either case meet a set or an escape, in which git tells them apart all the same.
    #[error(
        "':(icase)' does not go with '[' or '\\': git tells upper case from lower case there; leave ':(icase)' out"
    )]
    Caseless,
    /// A set has a `[` and a `:` side by side, and they begin no class such as `[:alpha:]`.
    #[error("'[:' begins no class such as '[:alpha:]' here; in a set, write the ':' before the '['")]
    Class,
    /// It begins with a colon and is nothing that git would understand.
    #[error(
        "git understands no such pathspec; what may follow a colon is '!', '/', or words in brackets: top, exclude, icase, glob, literal"
    )]
    Malformed,
}

impl Spec {
    pub(super) fn parse(text: &str) -> Result<Self, SpecError> {
        refuse(text)?;
        let pattern = gix_pathspec::parse(text.as_bytes(), Defaults::default()).map_err(|_| SpecError::Malformed)?;
        let mut path = pattern.path().to_vec();
        if pattern.signature.contains(MagicSignature::MUST_BE_DIR) {
            path.push(b'/');
        }
        if path.first() == Some(&b'/') {
            return Err(SpecError::Absolute);
        }
        let normal = normal(&path)?;
        // Git takes a path as it stands where it is said to be relative to the top.
        if !pattern.signature.contains(MagicSignature::TOP) {
            path = normal;
        }
        let special = path.iter().position(|byte| SPECIAL.contains(byte));
        let plain = special.filter(|_| pattern.search_mode != SearchMode::Literal).unwrap_or(path.len());
        let (mode, signature) = (pattern.search_mode, pattern.signature);
        let tail = path.get(plain..).unwrap_or_default();
        check(tail, signature.contains(MagicSignature::ICASE))?;
        Ok(Self { path, plain, mode, signature })
    }

    pub(super) fn excludes(&self) -> bool {
        self.signature.contains(MagicSignature::EXCLUDE)
    }

    /// Says whether the pathspec takes a file, or a submodule, at a path.
    pub(super) fn takes(&self, path: &[u8], submodule: bool) -> bool {
        let base = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
        let (directory, name) = path.split_at(base);
        let literal = self.path.strip_suffix(b"/").filter(|_| submodule).unwrap_or(&self.path);
        if self.covers(directory) || self.same(literal, path) {
            return true;
        }
        // In a directory that is called as the pattern itself begins, such as `[id]`, git looks at the rest of both alone.
        match self.path.split_at_checked(base) {
            Some((same, rest)) if self.same(same, directory) => self.wild(rest, self.plain.saturating_sub(base), name),
            Some(_) | None => self.wild(&self.path, self.plain, path),
        }
    }

    /// Says whether the pathspec names a directory whose path ends in a slash, or one above it, letter by letter.
    pub(super) fn covers(&self, directory: &[u8]) -> bool {
        let Some((above, below)) = directory.split_at_checked(self.path.len()) else { return false };
        let whole = self.path.last().is_none_or(|last| *last == b'/') || below.first() == Some(&b'/');
        whole && self.same(above, &self.path)
    }

    /// Says whether the pathspec may take something below a directory whose path ends in a slash.
    pub(super) fn may_match_below(&self, directory: &[u8]) -> bool {
        let leads_there = |path: &[u8]| path.get(..directory.len()).is_some_and(|above| self.same(above, directory));
        let plain = self.path.get(..self.plain).unwrap_or_default();
        let begins = directory.get(..self.plain).is_some_and(|start| self.same(start, plain)) || leads_there(plain);
        let is_pattern = self.plain < self.path.len();
        self.covers(directory) || leads_there(&self.path) || is_pattern && begins && self.is_deep_enough(directory)
    }

    /// Says whether a pattern may have as many slashes as a directory.
    fn is_deep_enough(&self, directory: &[u8]) -> bool {
        let slashes = |path: &[u8]| path.iter().filter(|byte| **byte == b'/').count();
        self.mode != SearchMode::PathAwareGlob
            || self.path.windows(2).any(|pair| pair == b"**")
            || slashes(directory) <= slashes(&self.path)
    }

    fn same(&self, one: &[u8], other: &[u8]) -> bool {
        if self.signature.contains(MagicSignature::ICASE) { one.eq_ignore_ascii_case(other) } else { one == other }
    }

    /// Holds a path against a pattern, which to git begins where what is `plain` ends: a `**` may stand there.
    fn wild(&self, pattern: &[u8], plain: usize, path: &[u8]) -> bool {
        if self.plain == self.path.len() {
            return false;
        }
        let Some(((begin, pattern), (start, rest))) = pattern.split_at_checked(plain).zip(path.split_at_checked(plain))
        else {
            return false;
        };
        let mut mode = Mode::empty();
        mode.set(Mode::NO_MATCH_SLASH_LITERAL, self.mode == SearchMode::PathAwareGlob);
        mode.set(Mode::IGNORE_CASE, self.signature.contains(MagicSignature::ICASE));
        self.same(begin, start) && gix_pathspec::attributes::glob::wildmatch(pattern.into(), rest.into(), mode)
    }
}

/// Refuses what the library would read in another way than git, or in a way that helps nobody.
fn refuse(text: &str) -> Result<(), SpecError> {
    if text.is_empty() {
        return Err(SpecError::Empty);
    }
    if text.len() > LONGEST_SPEC {
        return Err(SpecError::Long(text.len()));
    }
    if text.contains('\0') {
        return Err(SpecError::Null);
    }
    let Some(magic) = text.strip_prefix(':') else { return Ok(()) };
    let Some(words) = magic.strip_prefix('(') else {
        let path = magic.trim_start_matches(['!', '^', '/']);
        let path = path.strip_prefix(':').unwrap_or(path);
        return if magic != path && path.starts_with('(') { Err(SpecError::Mixed) } else { Ok(()) };
    };
    let words = words.split_once(')').map_or(words, |(words, _)| words);
    if words.split(',').any(|word| word.starts_with("attr")) { Err(SpecError::Attributes) } else { Ok(()) }
}

/// Refuses a pattern that costs too much, and where the library and git are not at one.
fn check(pattern: &[u8], caseless: bool) -> Result<(), SpecError> {
    let stars = pattern.iter().filter(|byte| **byte == b'*').count();
    if stars > MOST_STARS {
        return Err(SpecError::Stars(stars));
    }
    if caseless && pattern.iter().any(|byte| matches!(byte, b'[' | b'\\')) {
        return Err(SpecError::Caseless);
    }
    let is_class = |rest: &[u8]| {
        let length = rest.iter().take_while(|byte| byte.is_ascii_lowercase()).count();
        length > 0 && rest.get(length..).is_some_and(|rest| rest.starts_with(b":]"))
    };
    let classes = pattern.windows(2).enumerate().filter(|(_, pair)| pair == b"[:").map(|(at, _)| at + 2);
    let malformed = classes.filter_map(|begin| pattern.get(begin..)).any(|rest| !is_class(rest));
    if malformed { Err(SpecError::Class) } else { Ok(()) }
}

/// Returns a path without detours, as git makes it; a slash at its end stays.
fn normal(path: &[u8]) -> Result<Vec<u8>, SpecError> {
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut is_directory = false;
    for part in path.split(|byte| *byte == b'/') {
        is_directory = matches!(part, b"" | b"." | b"..");
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop().ok_or(SpecError::Outside)?),
            part => parts.push(part),
        }
    }
    let mut path = parts.join(&b'/');
    if is_directory && !path.is_empty() {
        path.push(b'/');
    }
    Ok(path)
}
