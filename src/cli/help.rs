//! The long texts of the command line's help.

use crate::config::SETTINGS;
use crate::failure::Kind;

pub(super) const ABOUT: &str = "Where is each artifact of this commit?";

pub(super) const LONG_ABOUT: &str = "\
Where is each artifact of this commit?

Builds put their outputs in one flat list of addresses, one address a commit, in a store that you already have: \
<store>/builds/<commit>/<artifact>. The file build_meta.json at each address says for every artifact which commit's address \
holds the nearest one.";

/// Returns what stands below the options: the tables that people look up.
pub(super) fn after() -> String {
    let mut text = String::from("Environment variables, each with the flag that outdoes it:\n");
    for setting in SETTINGS {
        text.push_str(&format!("  {:<24} {}\n", setting.variable, setting.flag));
    }
    text.push_str("\nGit's configuration is asked after the environment, then artifacts.toml:\n");
    for setting in SETTINGS {
        if let Some(key) = setting.git {
            text.push_str(&format!("  {key:<24} {}\n", setting.file.unwrap_or_default()));
        }
    }
    text.push_str("\nExit codes:\n");
    for kind in Kind::ALL {
        text.push_str(&format!("  {:>3}  {}\n", kind.code(), kind.meaning()));
    }
    text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
