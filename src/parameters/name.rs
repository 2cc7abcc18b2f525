//! What Parameter Store lets a parameter be called (source: "Requirements and constraints for parameter names").

/// The longest name of a parameter, in characters.
pub const LONGEST: usize = 1011;

/// How many parts the slashes of a name may make.
const DEEPEST: usize = 15;

/// Says why a text is not the name of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParameterNameError {
    /// The text is empty, or a part of it between two slashes or at its end is.
    #[error("a parameter's name is not empty, and no part of it is: no // and no / at its end")]
    Empty,
    /// The text has a character that no name has.
    #[error("a parameter's name has only a-z A-Z 0-9 _ . - /, this has '{}'", .0.escape_default())]
    Character(char),
    /// The text has a slash inside and none at its beginning.
    #[error("a parameter's name that has a / begins with one")]
    Relative,
    /// The text begins as the names do that AWS keeps to itself.
    #[error("a parameter's name does not begin with aws or ssm")]
    Reserved,
    /// The text has more than [`LONGEST`] characters.
    #[error("a parameter's name has at most {LONGEST} characters, this has {0}")]
    Long(usize),
    /// The text has too many parts.
    #[error("a parameter's name has at most {DEEPEST} parts, this has {0}")]
    Deep(usize),
}

/// Looks whether a text can be the name of a parameter that somebody keeps.
///
/// # Errors
/// [`ParameterNameError`].
pub fn check(text: &str) -> Result<(), ParameterNameError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-' | '/');
    if let Some(odd) = text.chars().find(|&c| !allowed(c)) {
        return Err(ParameterNameError::Character(odd));
    }
    let path = text.strip_prefix('/').unwrap_or(text);
    if path.split('/').any(str::is_empty) {
        return Err(ParameterNameError::Empty);
    }
    if path.contains('/') && !text.starts_with('/') {
        return Err(ParameterNameError::Relative);
    }
    let beginning = path.get(..3).unwrap_or_default().to_ascii_lowercase();
    if matches!(beginning.as_str(), "aws" | "ssm") {
        return Err(ParameterNameError::Reserved);
    }
    if text.len() > LONGEST {
        return Err(ParameterNameError::Long(text.len()));
    }
    let parts = path.split('/').count();
    if parts > DEEPEST { Err(ParameterNameError::Deep(parts)) } else { Ok(()) }
}
