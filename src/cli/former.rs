//! What is told of the tips that a branch had before the commit that a command is about: for warnings alone, so nothing here ends a run.

use serde_json::{Value, json};

use crate::address::Commit;
use crate::cli::session::{Ports, Session};
use crate::git::Repository;
use crate::mainline::{self, Foxtrot, Mainline};
use crate::rewritten::{self, SameTree};

/// How many entries of HEAD's log are looked through for commits of the same tree.
const RECENT: usize = 100;

/// Holds the former commits that may concern a commit.
pub(crate) struct Former {
    commit: Commit,
    /// What the branch's tip was, as CI and this clone know it.
    tips: Vec<Commit>,
    /// What was checked out here lately.
    recent: Vec<Commit>,
}

impl Former {
    /// Asks CI's environment and the repository.
    pub(crate) fn of(session: &Session, commit: Commit) -> Self {
        let detail =
            |problem: &dyn std::fmt::Display| session.report.detail(&format!("not known of former tips: {problem}"));
        let mut former = Self { commit, tips: Vec::new(), recent: Vec::new() };
        match session.config.tip_before(commit) {
            Ok(tip) => former.tips.extend(tip),
            Err(problem) => detail(&problem),
        }
        if let Some(repository) = repository(session) {
            former.recent = repository.recent_heads(RECENT).inspect_err(|error| detail(error)).unwrap_or_default();
            // The upstream is that of the branch that is checked out.
            if !repository.head().is_ok_and(|head| head == Some(commit)) {
                return former;
            }
            match repository.former_tip(commit) {
                Ok(tip) => former.tips.extend(tip),
                Err(error) => detail(&error),
            }
        }
        former
    }

    /// Warns where a former tip is hidden from first parents, and returns it.
    pub(crate) fn warn_of_foxtrot(&self, session: &Session) -> Option<Commit> {
        let repository = repository(session)?;
        let new = self.commit;
        let mut foxtrot = None;
        for &old in &self.tips {
            match mainline::check(repository, old, new) {
                Ok(Mainline::Kept) => {}
                Ok(Mainline::Hidden { merge }) => foxtrot = foxtrot.or(Some(Foxtrot { old, new, merge })),
                Ok(Mainline::Rewritten) => {
                    session.report.detail(&format!("the tip {old} is not in the history of {new}"));
                }
                Ok(Mainline::Unknown) => {
                    session
                        .report
                        .detail(&format!("whether the former tip {old} is in the history of {new} is not known here"));
                }
                Err(error) => session.report.detail(&format!("not known of the former tip {old}: {error}")),
            }
        }
        let foxtrot = foxtrot?;
        session.report.warning(&foxtrot.to_string());
        Some(foxtrot.old)
    }

    /// Returns which former commits have the same tree, and artifacts.
    pub(crate) async fn same_tree(&self, session: &Session, ports: &Ports) -> Vec<SameTree> {
        let candidates: Vec<Commit> = self.tips.iter().chain(&self.recent).copied().collect();
        let same = rewritten::same_tree(session.world(ports), self.commit, &candidates).await;
        let told =
            |error: &_| session.report.detail(&format!("not known of former commits with the same tree: {error}"));
        same.inspect_err(told).unwrap_or_default()
    }
}

/// Returns what the answer in JSON says of a commit of the same tree.
pub(crate) fn object(same: &SameTree) -> Value {
    let artifacts: Vec<String> = same.artifacts.iter().map(ToString::to_string).collect();
    json!({"commit": same.old.to_string(), "artifacts": artifacts})
}

fn repository(session: &Session) -> Option<&Repository> {
    session.config.repository().ok().flatten().map(|repository| &**repository)
}
