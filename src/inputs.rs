//! The inputs that an artifact is declared to be built from: git pathspecs, against the paths of a commit's tree.
//!
//! What a pathspec means is what `git log -- <pathspec>...` takes it to mean at the top of the repository, and `git diff-tree`.

mod spec;

use spec::Spec;
pub use spec::{LONGEST_SPEC, MOST_STARS, SpecError};

/// How many pathspecs may be declared for one artifact: each of them is tried on each path.
pub const MOST_SPECS: usize = 200;

/// Holds the pathspecs that say which files of a repository an artifact is built from; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inputs {
    texts: Vec<String>,
    specs: Vec<Spec>,
}

/// Says why texts are not declared inputs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputsError {
    /// There is no pathspec.
    #[error("inputs are declared by at least one pathspec")]
    None,
    /// There are more than [`MOST_SPECS`].
    #[error("inputs are declared by at most {MOST_SPECS} pathspecs, these are {0}")]
    Many(usize),
    /// One of them is not a pathspec, or not one that is understood here.
    #[error("{error}")]
    Spec {
        /// Which one, from 0.
        index: usize,
        /// What is wrong with it.
        error: SpecError,
    },
}

impl Inputs {
    /// Reads pathspecs, as they would be given to git at the top of the repository.
    ///
    /// # Errors
    /// [`InputsError`], for the first one that is refused.
    pub fn parse(specs: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, InputsError> {
        let texts: Vec<String> = specs.into_iter().map(|text| text.as_ref().to_owned()).collect();
        if texts.is_empty() {
            return Err(InputsError::None);
        }
        if texts.len() > MOST_SPECS {
            return Err(InputsError::Many(texts.len()));
        }
        let spec =
            |(index, text): (usize, &String)| Spec::parse(text).map_err(|error| InputsError::Spec { index, error });
        let specs = texts.iter().enumerate().map(spec).collect::<Result<_, _>>()?;
        Ok(Self { texts, specs })
    }

    /// Returns the pathspecs as they were written, in the author's order.
    #[must_use]
    pub fn specs(&self) -> &[String] {
        &self.texts
    }

    /// Says whether a file or a symbolic link at a path is one of the inputs. The path is relative to the top, with `/` between its parts.
    #[must_use]
    pub fn is_match(&self, path: &[u8]) -> bool {
        self.takes(path, false)
    }

    /// Says whether a submodule at a path is one of the inputs: a pathspec with a slash at its end takes it, as it takes a directory.
    #[must_use]
    pub fn is_match_of_submodule(&self, path: &[u8]) -> bool {
        self.takes(path, true)
    }

    /// Says whether anything in a directory, or below it, may be one of the inputs; the path of the top is empty.
    ///
    /// Where it says no, there is none; where it says yes, there need not be one.
    #[must_use]
    pub fn may_match_below(&self, directory: &[u8]) -> bool {
        let directory = if directory.is_empty() { Vec::new() } else { [directory, b"/"].concat() };
        !self.excluding().any(|spec| spec.covers(&directory))
            && (self.has_no_including() || self.including().any(|(_, spec)| spec.may_match_below(&directory)))
    }

    /// Returns which of the pathspecs that take something take what is at a path, by their places in [`Self::specs`].
    pub fn taken_by(&self, path: &[u8], submodule: bool) -> impl Iterator<Item = usize> {
        self.including().filter(move |(_, spec)| spec.takes(path, submodule)).map(|(index, _)| index)
    }

    /// Returns the places in [`Self::specs`] of the pathspecs that take something, rather than exclude it.
    pub fn takers(&self) -> impl Iterator<Item = usize> {
        self.including().map(|(index, _)| index)
    }

    fn takes(&self, path: &[u8], submodule: bool) -> bool {
        // Where everything else is excluded only, everything else is meant.
        (self.has_no_including() || self.including().any(|(_, spec)| spec.takes(path, submodule)))
            && !self.excluding().any(|spec| spec.takes(path, submodule))
    }

    fn including(&self) -> impl Iterator<Item = (usize, &Spec)> {
        self.specs.iter().enumerate().filter(|(_, spec)| !spec.excludes())
    }

    fn excluding(&self) -> impl Iterator<Item = &Spec> {
        self.specs.iter().filter(|spec| spec.excludes())
    }

    fn has_no_including(&self) -> bool {
        self.specs.iter().all(Spec::excludes)
    }
}
