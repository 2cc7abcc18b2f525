//! The pager, chosen as git chooses it, and the width of the terminal.

use std::ffi::OsString;

use super::{Config, ConfigError};
use crate::git;
use crate::pager::Choice;

/// The key of git's configuration.
const KEY: &str = "core.pager";

/// The pager where nobody chose one.
const USUAL: &str = "less";

/// What a pager is told to do where nobody said otherwise: to end where all is seen at once, to show colours and to leave what was shown
/// (source: git's `PAGER_ENV`).
const VARIABLES: [(&str, &str); 2] = [("LESS", "FRX"), ("LV", "-c")];

impl Config {
    /// Returns the pager that git would take; none where its user wants none.
    ///
    /// # Errors
    /// Git's, where its configuration cannot be read.
    pub fn pager(&self) -> Result<Option<Choice>, ConfigError> {
        let (command, chosen_by) = self.pager_command()?;
        let is_none = command.is_empty() || command == "cat";
        let variables = VARIABLES.into_iter().filter(|(name, _)| self.environment.set(name).is_none()).collect();
        Ok((!is_none).then_some(Choice { command, chosen_by, variables }))
    }

    fn pager_command(&self) -> Result<(OsString, Option<&'static str>), ConfigError> {
        let variable = |name: &'static str| self.environment.set(name).map(|value| (value.to_owned(), Some(name)));
        if let Some(chosen) = variable("GIT_PAGER") {
            return Ok(chosen);
        }
        let mut values = match self.repository()? {
            Some(repository) => repository.setting(KEY)?,
            None => git::setting_without_repository(KEY)?,
        };
        if let Some(value) = values.pop() {
            return Ok((value.into(), Some("git config core.pager")));
        }
        Ok(variable("PAGER").unwrap_or((USUAL.into(), None)))
    }

    /// Returns how many columns somebody says that the terminal has.
    #[must_use]
    pub fn columns(&self) -> Option<usize> {
        self.environment.get("COLUMNS")?.to_str()?.parse().ok().filter(|columns| *columns > 0)
    }
}
