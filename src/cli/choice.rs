//! What fetch, lock and url take: what a commit's metafile names, as far as policies admit it.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Commit;
use crate::artifact::Name;
use crate::catalog::Catalog;
use crate::cli::session::{Ports, Session, all_of};
use crate::config::ConfigError;
use crate::metafile::Metafile;
use crate::policy::Policy;
use crate::resolve::Answer;
use crate::show::{self, Shown};
use crate::state::{Refused, State, Verdict};
use crate::status::judge_all;

/// Says what somebody wants of a commit.
pub(crate) struct Wish<'a> {
    pub(crate) commit: Commit,
    /// The artifacts; all that the metafile names where there are none.
    pub(crate) names: &'a [Name],
    /// What is asked of each, whatever the registry asks.
    pub(crate) policy: Option<Policy>,
    /// Whether what is stored does not count.
    pub(crate) fresh: bool,
}

/// Says how each artifact stands, and what is asked of it.
pub(crate) type Verdicts = BTreeMap<Name, (Verdict, Policy)>;

/// Holds what was chosen.
pub(crate) struct Choice {
    pub(crate) url: String,
    pub(crate) metafile: Metafile,
    pub(crate) verdicts: Verdicts,
}

impl Choice {
    /// Returns the artifacts of which there is none, neither here nor at an ancestor, with how they stand.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = (&Name, State)> {
        let gaps = self.verdicts.iter().filter(|(_, (verdict, _))| verdict.from.is_none());
        gaps.map(|(name, (verdict, _))| (name, verdict.state))
    }

    /// Returns their names as the answers of commands have them.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.gaps().map(|(name, _)| name.to_string()).collect()
    }
}

impl Session {
    /// Chooses by the stored metafile. Where none is stored, or where it does not give what is asked for, the commit is resolved anew: a later
    /// build may have published it.
    pub(crate) async fn choose(&self, ports: &Ports, wish: &Wish<'_>) -> anyhow::Result<Choice> {
        let commit = wish.commit;
        let catalog = async {
            // That there is none is no news to whoever takes what is nearest.
            match self.catalog(ports, commit).await {
                Ok(catalog) => Ok(Some(catalog)),
                Err(ConfigError::NoRegistry { .. }) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let stored = async { if wish.fresh { Ok(None) } else { show::show(&*ports.store, commit).await } };
        let (catalog, stored) = futures::future::join(catalog, stored).await;
        let stored = stored?;
        let catalog = match catalog {
            Ok(catalog) => catalog,
            // Who takes what is nearest needs no registry, where a metafile is stored.
            Err(error) if stored.is_some() && wish.policy.is_none_or(|policy| policy == Policy::Nearest) => {
                self.report.warning(&format!("what policies the registry asks for is not known: {error}"));
                None
            }
            Err(error) => return Err(error.into()),
        };
        // How a second look goes is no news.
        let world = if stored.is_some() { self.hushed(ports) } else { self.world(ports) };
        if let Some(shown) = stored {
            let (verdicts, refused) = self.judge(ports, catalog.as_ref(), &shown.metafile, wish)?;
            // One that names nothing of what is wanted may be the stub of whoever knew no history, and a nearer ancestor may have been built since.
            let is_bare = verdicts.values().all(|(verdict, _)| verdict.from.is_none());
            let is_behind = verdicts.values().any(|(verdict, _)| verdict.state == State::Stale);
            if refused.is_empty() && (catalog.is_none() || !is_bare && !is_behind) {
                return Ok(self.chosen(wish, shown.url, shown.metafile, verdicts));
            }
            if catalog.is_none() {
                return Err(all_of(refused));
            }
            self.report.detail("the stored metafile does not give what is asked for: looking again");
            if refused.is_empty() {
                return self.looked_again(ports, wish, catalog.as_ref(), shown, verdicts).await;
            }
        } else if !wish.fresh {
            self.report.note("no metafile is stored there: what resolving gives now is taken");
        }
        let answer = self.compute_in(world, ports, commit).await?;
        let (verdicts, refused) = self.judge_answer(ports, catalog.as_ref(), &answer, wish)?;
        if refused.is_empty() {
            Ok(self.chosen(wish, answer.url, answer.metafile, verdicts))
        } else {
            Err(all_of(refused))
        }
    }

    /// Looks again for what the stored metafile does not name at all; where that cannot be done, what is stored counts.
    async fn looked_again(
        &self,
        ports: &Ports,
        wish: &Wish<'_>,
        catalog: Option<&Catalog>,
        shown: Shown,
        verdicts: Verdicts,
    ) -> anyhow::Result<Choice> {
        match self.compute_in(self.hushed(ports), ports, wish.commit).await {
            Ok(answer) => {
                let (verdicts, _) = self.judge_answer(ports, catalog, &answer, wish)?;
                Ok(self.chosen(wish, answer.url, answer.metafile, verdicts))
            }
            Err(error) => {
                self.report.detail(&format!("what is stored counts: {error:#}"));
                Ok(self.chosen(wish, shown.url, shown.metafile, verdicts))
            }
        }
    }

    fn chosen(&self, wish: &Wish<'_>, url: String, metafile: Metafile, verdicts: Verdicts) -> Choice {
        for (name, (verdict, _)) in &verdicts {
            self.warn_of_fall_back(metafile.commit, name, verdict);
        }
        let choice = Choice { url, metafile, verdicts };
        // Who names what they want is told of that alone.
        if wish.names.is_empty() {
            self.tell_of_gaps(&choice);
        }
        choice
    }

    /// Tells what a deployment of everything goes without.
    fn tell_of_gaps(&self, choice: &Choice) {
        let gap = |(name, state): (&Name, State)| format!("{name} ({state})");
        let gaps: Vec<String> = choice.gaps().map(gap).collect();
        if !gaps.is_empty() {
            self.report.note(&format!("not there at all: {}", gaps.join(", ")));
        }
    }

    /// Warns where what is taken is known not to be what would be built at the commit.
    fn warn_of_fall_back(&self, commit: Commit, name: &Name, verdict: &Verdict) {
        let is_doubtful = match verdict.state {
            State::Stale | State::Pending | State::Failed => true,
            State::Built | State::Proven | State::Assumed(_) | State::Missing => false,
        };
        if let Some(from) = verdict.from.filter(|_| is_doubtful) {
            let (state, meaning) = (verdict.state, verdict.state.meaning());
            self.report.warning(&format!("{name} is {state} at {commit}: {meaning}. The one of {from} is taken"));
        }
    }

    /// Judges what was resolved. What is gone is no longer what any policy asks for, and is taken as if it stood: whoever wants it is to be
    /// told, and not to go without.
    fn judge_answer(
        &self,
        ports: &Ports,
        catalog: Option<&Catalog>,
        answer: &Answer,
        wish: &Wish<'_>,
    ) -> anyhow::Result<(Verdicts, Vec<Refused>)> {
        let (_, refused) = self.judge(ports, catalog, &answer.standing(), wish)?;
        let (verdicts, _) = self.judge(ports, catalog, &answer.metafile, wish)?;
        Ok((verdicts, refused))
    }

    /// Judges what is wanted, and what the registry asks something of.
    fn judge(
        &self,
        ports: &Ports,
        catalog: Option<&Catalog>,
        metafile: &Metafile,
        wish: &Wish<'_>,
    ) -> anyhow::Result<(Verdicts, Vec<Refused>)> {
        let ours = catalog.map(|catalog| catalog.counted(&catalog.vocabulary().wanted));
        let asked = |name: &Name| wish.policy.or_else(|| catalog.and_then(|catalog| catalog.policy(name)));
        // What was retired, and what a limit leaves out, is taken as it is: nobody builds it here.
        let counts = |name: &Name| !wish.names.is_empty() || ours.as_ref().is_none_or(|ours| ours.contains(name));
        let policy = |name: &Name| asked(name).filter(|_| counts(name)).unwrap_or_default();
        let names: BTreeSet<Name> = if wish.names.is_empty() {
            metafile.artifacts.keys().chain(ours.iter().flatten()).cloned().collect()
        } else {
            wish.names.iter().cloned().collect()
        };
        let verdicts = judge_all(self.world(ports).ancestry, catalog, metafile, names)?;
        let refused = refusals(wish.commit, &verdicts, |name| Some(policy(name)));
        let verdicts = verdicts.into_iter().map(|(name, verdict)| (name.clone(), (verdict, policy(&name)))).collect();
        Ok((verdicts, refused))
    }
}

/// Says which artifacts are not what is asked of them. One that is nowhere, of which nothing is asked, is for the caller to miss.
pub(crate) fn refusals(
    commit: Commit,
    verdicts: &BTreeMap<Name, Verdict>,
    policy: impl Fn(&Name) -> Option<Policy>,
) -> Vec<Refused> {
    let demanded = verdicts.iter().map(|(name, verdict)| (name, verdict, policy(name).unwrap_or_default()));
    let demanded = demanded.filter(|(_, _, policy)| *policy != Policy::Nearest);
    demanded.filter_map(|(name, verdict, policy)| Some(*verdict.expect(policy, name, commit).err()?)).collect()
}
