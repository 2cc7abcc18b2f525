//! What a CI system says of the push that its job is for.

use std::io::Read as _;

use serde_json::Value;

use super::{Config, Environment};
use crate::address::Commit;

/// The most bytes of an event that are read: GitHub's have at most 25 MB.
const LARGEST: u64 = 32 << 20;

impl Config {
    /// Returns the tip that the branch had before the push whose newest commit this is, as GitLab, GitHub, Gitea or Forgejo tell it.
    ///
    /// # Errors
    /// Why what there is cannot be read, as a fragment: it is of use for warnings alone.
    pub fn tip_before(&self, commit: Commit) -> Result<Option<Commit>, String> {
        match of_gitlab(&self.environment, commit) {
            None => of_event(&self.environment, commit),
            before => Ok(before),
        }
    }
}

/// Reads GitLab's variables. Zeros, which stand for no commit, are no id.
fn of_gitlab(environment: &Environment, commit: Commit) -> Option<Commit> {
    let told = |variable| environment.get(variable)?.to_str()?.parse::<Commit>().ok();
    let before = told("CI_COMMIT_BEFORE_SHA")?;
    let is_job_of_it = environment.get("CI_COMMIT_SHA").is_none() || told("CI_COMMIT_SHA") == Some(commit);
    (is_job_of_it && before != commit).then_some(before)
}

/// Reads the event of GitHub and of those that do as it does. Other events than pushes may have a `before` too, of something else.
fn of_event(environment: &Environment, commit: Commit) -> Result<Option<Commit>, String> {
    let Some(path) = environment.get("GITHUB_EVENT_PATH") else { return Ok(None) };
    if environment.get("GITHUB_EVENT_NAME").is_some_and(|name| name != "push") {
        return Ok(None);
    }
    let told = |problem: &dyn std::fmt::Display| {
        format!("the event in {} (GITHUB_EVENT_PATH) cannot be read: {problem}", path.to_string_lossy())
    };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| told(&error))?;
    file.take(LARGEST).read_to_end(&mut bytes).map_err(|error| told(&error))?;
    let event: Value = serde_json::from_slice(&bytes).map_err(|error| told(&error))?;
    let id = |key: &str| event.get(key)?.as_str()?.parse::<Commit>().ok();
    let is_branch = event.get("ref").and_then(Value::as_str).is_none_or(|name| name.starts_with("refs/heads/"));
    let is_push = event.get("pull_request").is_none() && is_branch && id("after") == Some(commit);
    Ok(id("before").filter(|before| is_push && *before != commit))
}
