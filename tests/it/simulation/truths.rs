//! What holds in every run, after each operation and at the end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use bytes::Bytes;
use metalogic::address::Commit;
use metalogic::artifact::Name;
use metalogic::metafile::Metafile;
use metalogic::release::Release;
use metalogic::store::memory::MemoryStore;
use metalogic::store::{Key, RECORD};

use super::cast::{self, Play};

/// Watches one run.
pub struct Truths<'a> {
    play: &'a Play,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// What stood after the last operation.
    stood: BTreeMap<String, Bytes>,
    /// Whether the operation that comes is a stub's.
    stubs: bool,
    published: BTreeSet<(Commit, Name)>,
    staged: Vec<Release>,
    wrong: Option<String>,
}

impl<'a> Truths<'a> {
    pub fn new(play: &'a Play) -> Self {
        Self { play, state: Mutex::default() }
    }

    /// Takes note of whose operation comes next.
    pub fn let_pass(&self, actor: usize, _: &MemoryStore) {
        self.state.lock().unwrap().stubs = self.play.actors[actor].stubs();
    }

    pub fn wrong(&self, what: String) {
        self.state.lock().unwrap().wrong.get_or_insert(what);
    }

    pub fn published<'n>(&self, commit: Commit, names: impl Iterator<Item = &'n Name>) {
        self.state.lock().unwrap().published.extend(names.map(|name| (commit, name.clone())));
    }

    pub fn staged(&self, release: &Release) {
        self.state.lock().unwrap().staged.push(release.clone());
    }

    /// Holds that whoever is told of a conflict met other bytes than his own.
    pub fn told_of_a_conflict(&self, key: &Key, own: &str) {
        let stood = self.state.lock().unwrap().stood.get(&key.to_string()).cloned();
        if stood.is_some_and(|stood| stood == own.as_bytes()) {
            self.wrong(format!("{key} has the same bytes, and a conflict is told"));
        }
    }

    pub fn read(&self, key: &Key, bytes: &[u8]) {
        let stood = self.state.lock().unwrap().stood.get(&key.to_string()).cloned();
        if stood.as_deref() != Some(bytes) {
            self.wrong(format!("a reader has other bytes of {key} than stand there"));
        }
    }

    /// Holds what is true after every operation.
    pub fn hold(&self, store: &MemoryStore) -> Result<(), String> {
        let stand = store.objects();
        let mut state = self.state.lock().unwrap();
        if let Some(wrong) = state.wrong.take() {
            return Err(wrong);
        }
        if stand == state.stood {
            return Ok(());
        }
        for (key, stood) in &state.stood {
            let stands = stand.get(key).ok_or_else(|| format!("{key} is gone"))?;
            let Some(commit) = commit_of_metafile(key) else {
                if stands != stood {
                    return Err(format!("{key} was replaced"));
                }
                continue;
            };
            if stands != stood && state.stubs {
                return Err(format!("a stub replaced {key}"));
            }
            let (before, now) = (metafile(stood, commit)?, metafile(stands, commit)?);
            if let Some(name) = before.artifacts.keys().find(|name| !now.artifacts.contains_key(*name)) {
                return Err(format!("a write removed {name} from {key}"));
            }
        }
        for (key, bytes) in &stand {
            let Some(commit) = commit_of_metafile(key) else { continue };
            for (name, place) in metafile(bytes, commit)?.artifacts {
                let artifact = Key::Artifact(place, name).to_string();
                if !stand.contains_key(&artifact) {
                    return Err(format!("{key} names {artifact}, which is not there"));
                }
            }
        }
        state.stood = stand;
        Ok(())
    }

    /// Holds what is true when everybody has ended.
    pub async fn hold_at_the_end(&self, store: &MemoryStore) -> Result<(), String> {
        self.hold(store)?;
        let (published, staged) = {
            let state = self.state.lock().unwrap();
            (state.published.clone(), state.staged.clone())
        };
        let stand = store.objects();
        for (commit, name) in published {
            let bytes = stand.get(&Key::Metafile(commit).to_string()).ok_or("a build published and has no metafile")?;
            if metafile(bytes, commit)?.artifacts.get(&name) != Some(&commit) {
                return Err(format!("{name} was published at {} and its metafile says otherwise", commit.short()));
            }
        }
        for release in staged {
            let key = Key::Record(release.name.as_str().parse().unwrap(), release.version.clone()).to_string();
            let record = stand.get(&key).ok_or_else(|| format!("{key} was staged and is not there"))?;
            let told = Release::parse(record, &release.name, &release.version).map_err(|error| error.to_string())?;
            let data = stand.get(&key.replace(RECORD, "data")).ok_or_else(|| format!("{key} has no data"))?;
            let digest = metalogic::artifact::Digest::of(data);
            if (told.sha256, told.sha256) != (release.sha256, Some(digest)) {
                return Err(format!("{key} was staged with other bytes"));
            }
        }
        self.quiesce(store).await
    }

    /// Holds that whatever happened, one run through all commits from the oldest up gives what it gives where nothing happened but that the
    /// artifacts came to stand. What lies beyond the bound may be known from before, or not.
    async fn quiesce(&self, store: &MemoryStore) -> Result<(), String> {
        if self.play.most < self.play.parents.len() {
            return Ok(());
        }
        let pristine = MemoryStore::default();
        for (key, bytes) in store.objects() {
            if key.starts_with("builds/") && commit_of_metafile(&key).is_none() {
                pristine.plant(&key, bytes);
            }
        }
        let history = self.play.whole_history();
        for place in 0..self.play.parents.len() {
            for store in [store, &pristine] {
                cast::resolve_at(store, &*history, self.play.limits(), cast::commit(place)).await?;
            }
        }
        for place in 0..self.play.parents.len() {
            let commit = cast::commit(place);
            let key = Key::Metafile(commit).to_string();
            let of = |store: &MemoryStore| {
                let bytes =
                    store.objects().get(&key).cloned().ok_or_else(|| format!("{key} is not there at the end"))?;
                metafile(&bytes, commit).map(|metafile| (metafile.artifacts, metafile.parent_commit))
            };
            let (lived, fresh) = (of(store)?, of(&pristine)?);
            if lived != fresh {
                return Err(format!("{key} says {lived:?} at the end, and a single run says {fresh:?}"));
            }
        }
        Ok(())
    }
}

fn metafile(bytes: &[u8], commit: Commit) -> Result<Metafile, String> {
    Metafile::parse(bytes, commit).map_err(|error| format!("the metafile of {} is not whole: {error}", commit.short()))
}

/// Returns the commit whose metafile lies under a key; none where something else does.
fn commit_of_metafile(key: &str) -> Option<Commit> {
    key.strip_prefix("builds/")?.strip_suffix("/build_meta.json")?.parse().ok()
}
