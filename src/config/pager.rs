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
    /// Returns the pager that git would take for its command of this name; none where its user wants none.
    ///
    /// # Errors
    /// Git's, where its configuration cannot be read.
    pub fn pager(&self, command: &str) -> Result<Option<Choice>, ConfigError> {
        let own = self.last_setting(&format!("pager.{command}"))?;
        let wanted = own.as_deref().map_or(Wanted::Any, Wanted::of);
        if wanted == Wanted::None {
            return Ok(None);
        }
        let (command, chosen_by) = self.pager_command(wanted)?;
        let is_none = command.is_empty() || command == "cat";
        let variables = VARIABLES.into_iter().filter(|(name, _)| self.environment.set(name).is_none()).collect();
        Ok((!is_none).then_some(Choice { command, chosen_by, variables }))
    }

    fn pager_command(&self, wanted: Wanted) -> Result<(OsString, Option<&'static str>), ConfigError> {
        let variable = |name: &'static str| self.environment.set(name).map(|value| (value.to_owned(), Some(name)));
        if let Some(chosen) = variable("GIT_PAGER") {
            return Ok(chosen);
        }
        if let Wanted::This(command) = wanted {
            return Ok((command.into(), Some("git config pager")));
        }
        if let Some(value) = self.last_setting(KEY)? {
            return Ok((value.into(), Some("git config core.pager")));
        }
        Ok(variable("PAGER").unwrap_or((USUAL.into(), None)))
    }

    fn last_setting(&self, key: &str) -> Result<Option<String>, ConfigError> {
        let mut values = match self.repository()? {
            Some(repository) => repository.setting(key)?,
            None => git::setting_without_repository(key)?,
        };
        Ok(values.pop())
    }

    /// Returns how many columns somebody says that the terminal has.
    #[must_use]
    pub fn columns(&self) -> Option<usize> {
        self.environment.get("COLUMNS")?.to_str()?.parse().ok().filter(|columns| *columns > 0)
    }
}

/// Says what somebody wants for one command.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    Any,
    None,
    This(String),
}

impl Wanted {
    /// Takes a setting as git does: as a yes or a no where it is one, else as a command (source: `check_pager_config` and
    /// `git_parse_maybe_bool`).
    fn of(setting: &str) -> Self {
        let number: Option<i32> = setting.parse().ok();
        match setting.to_lowercase().as_str() {
            "" | "false" | "no" | "off" => Self::None,
            "true" | "yes" | "on" => Self::Any,
            _ => number.map_or_else(|| Self::This(setting.to_owned()), |n| if n == 0 { Self::None } else { Self::Any }),
        }
    }
}
