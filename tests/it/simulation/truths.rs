//! What holds in every run, after each operation and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use bytes::Bytes;
use metalogic::address::Commit;
use metalogic::artifact::{Digest, Name};
use metalogic::metafile::Metafile;
use metalogic::release::Release;
use metalogic::resolve::Answer;
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Key, RECORD};

use super::acts::{self, Props};
use super::play::{self, Actor, Play, Role, View};

/// Watches one run.
pub struct Truths<'a> {
    play: &'a Play,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What stood after the last operation.
    stood: BTreeMap<String, Bytes>,
    /// The metafiles among it.
    metafiles: BTreeMap<Commit, Metafile>,
    /// Whose operation was the last.
    actor: usize,
    /// Whether something was written since what stands was looked at.
    wrote: bool,
    published: BTreeSet<(Commit, Name)>,
    /// The commits that somebody said have a metafile.
    told: BTreeSet<Commit>,
    staged: Vec<Release>,
    wrong: Option<String>,
}

impl<'a> Truths<'a> {
    pub fn new(play: &'a Play) -> Self {
        Self { play, state: Mutex::default() }
    }

    fn note(&self, note: impl FnOnce(&mut State)) {
        note(&mut self.state.lock().unwrap());
    }

    /// Takes note of whose operation comes next, and whether it writes.
    pub fn let_pass(&self, actor: usize, writes: bool) {
        self.note(|state| (state.actor, state.wrote) = (actor, state.wrote || writes));
    }

    pub fn wrong(&self, what: String) {
        self.note(|state| {
            state.wrong.get_or_insert(what);
        });
    }

    pub fn published<'n>(&self, commit: Commit, names: impl Iterator<Item = &'n Name>) {
        self.note(|state| state.published.extend(names.map(|name| (commit, name.clone()))));
    }

    pub fn stubbed(&self, commits: &[Commit]) {
        self.note(|state| state.told.extend(commits));
    }

    pub fn resolved(&self, answer: &Answer) {
        self.stubbed(&[answer.metafile.commit]);
    }

    pub fn staged(&self, release: &Release) {
        self.note(|state| state.staged.push(release.clone()));
    }

    fn stood(&self, key: &str) -> Option<Bytes> {
        self.state.lock().unwrap().stood.get(key).cloned()
    }

    /// Holds that whoever is told of a conflict met other bytes than his own.
    pub fn told_of_a_conflict(&self, key: &Key, own: &str) {
        if self.stood(&key.to_string()).is_some_and(|stood| stood == own.as_bytes()) {
            self.wrong(format!("{key} has the same bytes, and a conflict is told"));
        }
    }

    /// Holds that whoever may not stage a release met another one.
    pub fn refused(&self, own: &Release) {
        let Some(stood) = self.stood(&record(own)) else { return };
        let stood = Release::parse(&stood, &own.name, &own.version).ok();
        if stood.is_some_and(|stood| (stood.sha256, stood.version) == (own.sha256, own.version.clone())) {
            self.wrong(format!("{} is staged as it is, and it is refused", own.version));
        }
    }

    pub fn read(&self, key: &Key, bytes: &[u8]) {
        if self.stood(&key.to_string()).as_deref() != Some(bytes) {
            self.wrong(format!("a reader has other bytes of {key} than stand there"));
        }
    }

    /// Holds what is true after every operation.
    pub fn hold(&self, store: &MemoryStore) -> Result<(), String> {
        let mut state = self.state.lock().unwrap();
        if let Some(wrong) = state.wrong.take() {
            return Err(wrong);
        }
        if !std::mem::take(&mut state.wrote) {
            return Ok(());
        }
        let stand = store.objects();
        if let Some(gone) = state.stood.keys().find(|key| !stand.contains_key(*key)) {
            return Err(format!("{gone} is gone"));
        }
        for (key, bytes) in &stand {
            let stood = state.stood.get(key);
            if stood == Some(bytes) {
                continue;
            }
            let Some(commit) = commit_of_metafile(key) else {
                stood.map_or(Ok(()), |_| Err(format!("{key} was replaced")))?;
                continue;
            };
            let metafile = metafile(bytes, commit)?;
            if let Some(before) = state.metafiles.get(&commit) {
                self.follows(before, &metafile, &self.play.actors[state.actor])?;
            }
            for (name, place) in &metafile.artifacts {
                let artifact = Key::Artifact(*place, name.clone()).to_string();
                if !stand.contains_key(&artifact) {
                    return Err(format!("{key} names {artifact}, which is not there"));
                }
            }
            state.metafiles.insert(commit, metafile);
        }
        state.stood = stand;
        Ok(())
    }

    /// Holds what is true of a metafile that was replaced.
    fn follows(&self, before: &Metafile, now: &Metafile, who: &Actor) -> Result<(), String> {
        let commit = before.commit;
        if matches!(who.role, Role::Stub { .. }) {
            return Err(format!("a stub replaced the metafile of {}", commit.short()));
        }
        for (name, was) in &before.artifacts {
            let Some(is) = now.artifacts.get(name) else {
                return Err(format!("a write removed {name} from the metafile of {}", commit.short()));
            };
            let (far, near) = (self.play.distance(commit, *was), self.play.distance(commit, *is));
            // Whoever does not see so far takes the word of ancestors' metafiles, which may be behind.
            let sees = matches!(who.view, View::Whole) && far.is_some_and(|far| far <= self.play.most);
            if sees && (near.is_none() || near > far) {
                return Err(format!("{name} of {} was {far:?} commits back and is {near:?}", commit.short()));
            }
        }
        Ok(())
    }

    /// Holds what is true when everybody has ended.
    pub async fn hold_at_the_end(&self, store: &MemoryStore, props: &Props) -> Result<(), String> {
        self.note(|state| state.wrote = true);
        self.hold(store)?;
        self.hold_what_was_told()?;
        self.quiesce(store, props).await
    }

    fn hold_what_was_told(&self) -> Result<(), String> {
        let state = self.state.lock().unwrap();
        for (commit, name) in &state.published {
            let metafile = state.metafiles.get(commit).ok_or("a build published and has no metafile")?;
            if metafile.artifacts.get(name) != Some(commit) {
                return Err(format!("{name} was published at {} and its metafile says otherwise", commit.short()));
            }
        }
        if let Some(commit) = state.told.iter().find(|commit| !state.metafiles.contains_key(commit)) {
            return Err(format!("{} is said to have a metafile and has none", commit.short()));
        }
        for release in &state.staged {
            let key = record(release);
            let stands = state.stood.get(&key).ok_or_else(|| format!("{key} was staged and is not there"))?;
            let told = Release::parse(stands, &release.name, &release.version).map_err(|error| error.to_string())?;
            let data = state
                .stood
                .get(&key.replace(RECORD, "data"))
                .ok_or_else(|| format!("{key} was staged without bytes"))?;
            let digest = Some(Digest::of(data));
            if (told.sha256, digest) != (release.sha256, release.sha256) {
                return Err(format!("{key} was staged with other bytes"));
            }
        }
        Ok(())
    }

    /// Holds that whatever happened, one run through all commits from the oldest up gives what it gives where nothing happened but that the
    /// artifacts came to stand. What lies beyond the bound may be known from before, or not.
    async fn quiesce(&self, store: &MemoryStore, props: &Props) -> Result<(), String> {
        if self.play.most < self.play.parents.len() {
            return Ok(());
        }
        let pristine = MemoryStore::default();
        for (key, bytes) in store.objects() {
            if key.starts_with("builds/") && commit_of_metafile(&key).is_none() {
                pristine.plant(&key, bytes);
            }
        }
        let (history, vocabulary) = (self.play.history(View::Whole, 0), props.vocabulary());
        for commit in (0..self.play.parents.len()).map(play::commit) {
            let mut said = Vec::new();
            for store in [store, &pristine] {
                let answer = acts::resolve_at(store, &*history, self.play.limits(), commit, &vocabulary).await?;
                said.push((answer.metafile.artifacts, answer.metafile.parent_commit));
            }
            if said[0] != said[1] {
                return Err(format!(
                    "{} comes to {:?} at the end, and alone to {:?}",
                    commit.short(),
                    said[0],
                    said[1]
                ));
            }
        }
        Ok(())
    }
}

/// Returns the key of a release's record.
fn record(release: &Release) -> String {
    Key::Record(acts::name(release.name.as_str()), release.version.clone()).to_string()
}

fn metafile(bytes: &[u8], commit: Commit) -> Result<Metafile, String> {
    let told = |error| format!("the metafile of {} is not whole: {error}", commit.short());
    let metafile = Metafile::parse(bytes, commit).map_err(told)?;
    if metafile.to_bytes().map_err(told)? == bytes {
        Ok(metafile)
    } else {
        Err("a metafile has two encodings".to_owned())
    }
}

/// Returns the commit whose metafile lies under a key; none where something else does.
fn commit_of_metafile(key: &str) -> Option<Commit> {
    key.strip_prefix("builds/")?.strip_suffix("/build_meta.json")?.parse().ok()
}
