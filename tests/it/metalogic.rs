//! The rule, against a second statement of it that looks at one artifact at a time.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use metalogic::address::Commit;
use metalogic::artifact::Name;
use metalogic::metafile::{Metafile, Record};
use metalogic::metalogic::{Keep, Listing, Metalogic, Resolution, Step, Vocabulary};
use serde_json::Value;

/// What this repository's projects build.
pub(crate) const WANTED: [&str; 4] = ["a.zip", "b.zip", "c.zip", "d.zip"];
/// What other repositories' projects build.
const FOREIGN: [&str; 2] = ["f.zip", "g.zip"];
const RETIRED: &str = "r.zip";
/// What no registry knows: a name, and what can be none.
const UNKNOWN: [&str; 4] = ["u.zip", "A.zip", "no name", "con"];
/// What a listing does not count.
const IGNORED: [&str; 3] = ["", ".lock", "build_meta.json"];

/// Holds one commit with its first parents, and all that stands in the store.
#[derive(Debug)]
pub(crate) struct World {
    /// The commit to resolve, then its ancestors.
    pub(crate) chain: Vec<Commit>,
    /// The names that stand at each address.
    pub(crate) objects: BTreeMap<Commit, BTreeSet<&'static str>>,
    pub(crate) metafiles: BTreeMap<Commit, Metafile>,
    pub(crate) most: usize,
    pub(crate) keep: Keep,
}

fn commit(number: u64) -> Commit {
    format!("{number:040x}").parse().unwrap()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn names<'n>(texts: impl IntoIterator<Item = &'n str>) -> BTreeSet<Name> {
    texts.into_iter().map(name).collect()
}

pub(crate) fn vocabulary() -> Vocabulary {
    Vocabulary {
        wanted: names(WANTED),
        registered: names(WANTED.into_iter().chain(FOREIGN)),
        retired: names([RETIRED]),
        ..Vocabulary::default()
    }
}

fn sized(size: u64) -> Record {
    let unknown = [("run".to_owned(), Value::from(size))].into_iter().collect();
    Record { size: Some(size), unknown, ..Record::default() }
}

impl World {
    /// Makes a chain of so many ancestors in an empty store.
    fn of(ancestors: u64) -> Self {
        let chain = (1..=ancestors + 1).map(commit).collect();
        Self { chain, objects: BTreeMap::new(), metafiles: BTreeMap::new(), most: 200, keep: Keep::Everything }
    }

    pub(crate) fn random(rng: &mut Rng) -> Self {
        let mut world = Self::of(rng.u64(..9));
        world.most = rng.usize(..=6);
        world.keep = if rng.u8(..4) == 0 { Keep::OnlyFound } else { Keep::Everything };
        let density = rng.u8(5..50);
        // One address lies on a branch, and at one nothing was ever put.
        let (branch, nowhere) = (commit(100), commit(101));
        for place in world.chain.iter().chain([&branch]) {
            let all = WANTED.into_iter().chain(FOREIGN).chain([RETIRED]).chain(UNKNOWN).chain(IGNORED);
            let here = all.filter(|_| rng.u8(..100) < density).collect();
            world.objects.insert(*place, here);
        }
        let places: Vec<Commit> = world.chain.iter().copied().chain([branch, nowhere]).collect();
        let mut older: Option<Metafile> = None;
        for at in (0..world.chain.len()).rev() {
            let (here, parent) = (world.chain[at], world.chain.get(at + 1).copied());
            let metafile = match rng.u8(..4) {
                0 => None,
                1 => older.as_ref().map(|older| older.stub(here, parent)),
                _ => Some(world.random_metafile(rng, here, parent, &places)),
            };
            if let Some(metafile) = metafile {
                world.metafiles.insert(here, metafile.clone());
                older = Some(metafile);
            }
        }
        world
    }

    /// Makes a metafile that some writer may have left: true, behind, or about what never was.
    fn random_metafile(&self, rng: &mut Rng, at: Commit, parent: Option<Commit>, places: &[Commit]) -> Metafile {
        let mut metafile = Metafile::empty(at, parent);
        for text in WANTED.into_iter().chain(FOREIGN).chain([RETIRED, "u.zip"]) {
            let true_places: Vec<Commit> = places.iter().copied().filter(|place| self.stands(*place, text)).collect();
            let place = if rng.u8(..3) > 0 { rng.choice(&true_places) } else { None };
            let place = *place.unwrap_or_else(|| &places[rng.usize(..places.len())]);
            if rng.bool() {
                metafile.artifacts.insert(name(text), place);
                if rng.bool() {
                    metafile.details.insert(name(text), sized(rng.u64(..1000)));
                }
            }
        }
        if rng.bool() {
            metafile.unknown.insert("note".to_owned(), rng.u8(..).into());
        }
        metafile
    }

    pub(crate) fn stands(&self, place: Commit, text: &str) -> bool {
        self.objects.get(&place).is_some_and(|here| here.contains(text))
    }

    fn put(&mut self, at: usize, texts: &[&'static str]) {
        self.objects.entry(self.chain[at]).or_default().extend(texts);
    }

    /// Writes a metafile at one address of the chain: names, and at which address of the chain they are said to stand.
    fn say(&mut self, at: usize, entries: &[(&str, usize)]) {
        let mut metafile = Metafile::empty(self.chain[at], self.chain.get(at + 1).copied());
        metafile.artifacts = entries.iter().map(|(text, place)| (name(text), self.chain[*place])).collect();
        self.metafiles.insert(self.chain[at], metafile);
    }

    fn listing(&self, place: Commit) -> Listing {
        self.objects.get(&place).into_iter().flatten().map(|text| ((*text).to_owned(), 1)).collect()
    }

    /// Returns the ancestors that are looked at.
    fn ancestors(&self) -> &[Commit] {
        &self.chain[1..self.chain.len().min(self.most + 1)]
    }

    fn parent(&self) -> Option<Commit> {
        self.chain.get(1).copied()
    }

    /// Returns the commit's own metafile or its stub.
    fn base(&self) -> Option<Metafile> {
        let stub = || Some(self.nearest_metafile()?.stub(self.chain[0], self.parent()));
        self.metafiles.get(&self.chain[0]).cloned().or_else(stub)
    }

    fn nearest_metafile(&self) -> Option<&Metafile> {
        self.ancestors().iter().find_map(|ancestor| self.metafiles.get(ancestor))
    }

    /// Drives the fold as a flow does, only as far as is needed or, to be thorough, over all there is.
    fn resolve(&self, thorough: bool) -> Resolution {
        let mut rule = Metalogic::begin(self.chain[0], &self.listing(self.chain[0]), vocabulary());
        for ancestor in self.ancestors() {
            if rule.is_complete() && !thorough {
                break;
            }
            rule.pass(*ancestor, &self.listing(*ancestor));
        }
        rule.turn_to_metafiles();
        for metafile in self.ancestors().iter().filter_map(|ancestor| self.metafiles.get(ancestor)) {
            if rule.is_complete() && !thorough {
                break;
            }
            // Only the addresses that the rule asks for are looked at.
            let looked: BTreeMap<Commit, Listing> =
                rule.addresses_named(metafile).into_iter().map(|place| (place, self.listing(place))).collect();
            rule.consult(metafile, |place, name| looked[&place].artifacts.contains_key(name));
        }
        rule.finish(self.parent(), self.base().as_ref(), self.keep)
    }
}

/// The second statement of the rule: where is this one artifact, and how many ancestors away does its own address say so?
impl World {
    pub(crate) fn place(&self, text: &str) -> Option<Commit> {
        let kept = || self.base()?.artifacts.get(&name(text)).copied().filter(|_| self.keep == Keep::Everything);
        self.found(text).or_else(kept)
    }

    /// Returns where an artifact is seen to stand.
    fn found(&self, text: &str) -> Option<Commit> {
        let (own, wanted) = (self.chain[0], WANTED.contains(&text));
        if self.stands(own, text) && (wanted || FOREIGN.contains(&text)) {
            return Some(own);
        }
        let found = || Some(self.ancestors()[self.distance(text)? - 1]);
        let entry = |ancestor: &Commit| self.metafiles.get(ancestor)?.artifacts.get(&name(text)).copied();
        let told = || self.ancestors().iter().filter_map(entry).find(|place| self.stands(*place, text));
        if wanted { found().or_else(told) } else { None }
    }

    /// Returns how far away the nearest address is that holds an artifact.
    fn distance(&self, text: &str) -> Option<usize> {
        self.chain.iter().take(self.most + 1).position(|place| self.stands(*place, text))
    }

    /// Returns what is missing when so many ancestors have been looked at.
    fn missing_after(&self, ancestors: usize) -> BTreeSet<Name> {
        names(WANTED.into_iter().filter(|text| self.distance(text).is_none_or(|distance| distance > ancestors)))
    }

    fn steps(&self) -> Vec<Step> {
        let all = self.ancestors().len();
        let walked = (0..=all).find(|ancestors| self.missing_after(*ancestors).is_empty()).unwrap_or(all);
        // The set changes at the commit itself and where the nearest copy of something stands.
        let mut changes: BTreeSet<usize> = WANTED.iter().filter_map(|text| self.distance(text)).collect();
        changes.insert(0);
        let mut steps = Vec::new();
        for (change, next) in changes.iter().zip(changes.iter().skip(1).copied().chain([walked + 1])) {
            let names = self.missing_after(*change);
            if !names.is_empty() {
                steps.push(Step::Missing { at: self.chain[*change], names });
            }
            if next - change > 1 {
                steps.push(Step::SameMissing { ancestors: next - change - 1 });
            }
        }
        if !self.missing_after(walked).is_empty() {
            steps.push(Step::ViaMetafiles);
        }
        steps
    }

    fn expected(&self) -> Resolution {
        let base = self.base();
        let mut metafile = Metafile::empty(self.chain[0], self.parent());
        metafile.unknown = base.as_ref().map(|base| base.unknown.clone()).unwrap_or_default();
        for text in WANTED.into_iter().chain(FOREIGN).chain([RETIRED, "u.zip"]) {
            let Some(place) = self.place(text) else { continue };
            metafile.artifacts.insert(name(text), place);
            let base = base.as_ref().filter(|base| base.artifacts.get(&name(text)) == Some(&place));
            if let Some(record) = base.and_then(|base| base.details.get(&name(text))) {
                metafile.details.insert(name(text), record.clone());
            }
        }
        let unknown = UNKNOWN.into_iter().filter(|text| self.stands(self.chain[0], text));
        let all = WANTED.into_iter().chain(FOREIGN);
        Resolution {
            found: names(all.filter(|text| self.found(text).is_some())),
            metafile,
            missing: names(WANTED.into_iter().filter(|text| self.place(text).is_none())),
            unknown: unknown.map(str::to_owned).collect(),
            steps: self.steps(),
        }
    }
}

/// Tries a law on many random histories; one that breaks it is told with its seed.
fn always(law: impl Fn(&World)) {
    for seed in 0..5000 {
        let world = World::random(&mut Rng::with_seed(seed));
        let kept = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| law(&world)));
        assert!(kept.is_ok(), "the law is broken at seed {seed}: {world:#?}");
    }
}

#[test]
fn the_fold_says_what_the_rule_says_of_each_artifact() {
    always(|world| assert_eq!(world.resolve(false), world.expected()));
}

#[test]
fn the_random_histories_have_something_of_everything() {
    let (mut told, mut kept, mut missing, mut dangling, mut details) = (0, 0, 0, 0, 0);
    for seed in 0..5000 {
        let world = World::random(&mut Rng::with_seed(seed));
        let expected = world.expected();
        let base = world.base();
        missing += usize::from(!expected.missing.is_empty());
        details += usize::from(!expected.metafile.details.is_empty());
        for (wanted, place) in &expected.metafile.artifacts {
            let beyond = world.distance(wanted.as_str()).is_none() && WANTED.contains(&wanted.as_str());
            let differs = base.as_ref().is_none_or(|base| base.artifacts.get(wanted) != Some(place));
            told += usize::from(beyond && differs);
            kept += usize::from(beyond && !differs);
            dangling += usize::from(!world.stands(*place, wanted.as_str()));
        }
    }
    for count in [told, kept, missing, dangling, details] {
        assert!(count > 300, "{:?}", [told, kept, missing, dangling, details]);
    }
}

#[test]
fn resolving_never_loses_an_artifact() {
    always(|world| {
        let (base, resolved) = (world.base(), world.resolve(false).metafile);
        for name in base.iter().flat_map(|base| base.artifacts.keys()) {
            assert!(world.keep == Keep::OnlyFound || resolved.artifacts.contains_key(name), "{name}");
        }
    });
}

#[test]
fn resolving_again_changes_nothing() {
    always(|world| {
        let first = world.resolve(false);
        let mut metafiles = world.metafiles.clone();
        metafiles.insert(world.chain[0], first.metafile.clone());
        let (chain, objects) = (world.chain.clone(), world.objects.clone());
        let again = World { chain, objects, metafiles, most: world.most, keep: world.keep };
        assert_eq!(again.resolve(false), first);
    });
}

#[test]
fn feeding_more_than_is_needed_changes_nothing() {
    always(|world| assert_eq!(world.resolve(true), world.resolve(false)));
}

#[test]
fn the_nearest_address_wins_whatever_metafiles_say() {
    let mut world = World::of(3);
    for at in [1, 2, 3] {
        world.put(at, &["a.zip"]);
    }
    world.say(0, &[("a.zip", 3)]);
    world.say(1, &[("a.zip", 2)]);
    assert_eq!(world.resolve(false).metafile.artifacts[&name("a.zip")], world.chain[1]);
    world.put(0, &["a.zip"]);
    assert_eq!(world.resolve(false).metafile.artifacts[&name("a.zip")], world.chain[0]);
}

#[test]
fn an_entry_is_taken_only_if_the_artifact_stands_there() {
    let mut world = World::of(6);
    world.most = 3;
    for at in [4, 6] {
        world.put(at, &["a.zip"]);
    }
    world.put(5, &["b.zip", "A.zip"]);
    world.say(1, &[("a.zip", 5)]);
    world.say(2, &[("a.zip", 6)]);
    world.say(3, &[("a.zip", 4)]);
    let resolution = world.resolve(false);
    assert_eq!(resolution.metafile.artifacts, BTreeMap::from([(name("a.zip"), world.chain[6])]));
    assert_eq!(resolution.missing, names(["b.zip", "c.zip", "d.zip"]));
}

#[test]
fn an_entry_that_nothing_supports_stays_unless_only_what_is_found_is_kept() {
    let mut world = World::of(1);
    world.say(0, &[("a.zip", 1), ("f.zip", 1), ("r.zip", 1), ("u.zip", 1)]);
    let kept = world.resolve(false);
    assert_eq!(kept.metafile.artifacts, world.metafiles[&world.chain[0]].artifacts);
    assert_eq!(kept.missing, names(["b.zip", "c.zip", "d.zip"]));
    world.keep = Keep::OnlyFound;
    let rebuilt = world.resolve(false);
    assert_eq!(rebuilt.metafile.artifacts, BTreeMap::new());
    assert_eq!(rebuilt.missing, names(WANTED));
}

#[test]
fn what_stands_at_the_commit_is_resolved_if_it_is_registered_and_told_if_it_is_unknown() {
    let mut world = World::of(1);
    world.put(0, &["a.zip", "f.zip", "r.zip", "u.zip", "A.zip", "no name", "con", "", ".lock", "build_meta.json"]);
    world.put(1, &["g.zip", "r.zip", "x.zip", "no name too"]);
    let resolution = world.resolve(false);
    let here = world.chain[0];
    assert_eq!(resolution.metafile.artifacts, BTreeMap::from([(name("a.zip"), here), (name("f.zip"), here)]));
    assert_eq!(resolution.unknown, UNKNOWN.map(String::from).into());
}

#[test]
fn records_of_an_unchanged_entry_are_kept_and_others_are_not() {
    let mut world = World::of(2);
    world.put(1, &["a.zip", "b.zip"]);
    world.say(0, &[("a.zip", 1), ("b.zip", 2), ("f.zip", 2), ("c.zip", 2)]);
    let own = world.metafiles.get_mut(&commit(1)).unwrap();
    own.unknown.insert("team".to_owned(), "web".into());
    own.details = ["a.zip", "b.zip", "f.zip"].map(|text| (name(text), sized(7))).into();
    let metafile = world.resolve(false).metafile;
    assert_eq!(metafile.details, ["a.zip", "f.zip"].map(|text| (name(text), sized(7))).into());
    assert_eq!(metafile.details[&name("a.zip")].unknown["run"], 7);
    assert_eq!(metafile.unknown["team"], "web");
    world.keep = Keep::OnlyFound;
    let metafile = world.resolve(false).metafile;
    assert_eq!(metafile.details, BTreeMap::from([(name("a.zip"), sized(7))]));
    assert_eq!(metafile.unknown["team"], "web");
}

#[test]
fn the_walk_is_told_step_by_step() {
    let mut world = World::of(9);
    world.most = 8;
    world.put(0, &["a.zip"]);
    world.put(3, &["b.zip", "a.zip"]);
    world.put(4, &["c.zip"]);
    world.put(9, &["d.zip"]);
    world.say(2, &[("d.zip", 9)]);
    let missing =
        |at: usize, texts: &[&str]| Step::Missing { at: world.chain[at], names: names(texts.iter().copied()) };
    let resolution = world.resolve(false);
    assert_eq!(
        resolution.steps,
        [
            missing(0, &["b.zip", "c.zip", "d.zip"]),
            Step::SameMissing { ancestors: 2 },
            missing(3, &["c.zip", "d.zip"]),
            missing(4, &["d.zip"]),
            Step::SameMissing { ancestors: 4 },
            Step::ViaMetafiles,
        ]
    );
    assert_eq!(resolution.metafile.artifacts[&name("d.zip")], world.chain[9]);
}

#[test]
fn nothing_is_told_where_nothing_is_missing() {
    let mut world = World::of(2);
    world.put(0, &WANTED);
    for thorough in [false, true] {
        assert_eq!(world.resolve(thorough).steps, []);
    }
}

#[test]
fn a_listing_tells_artifacts_the_metafile_and_odd_names_apart() {
    let names = ["a.zip", "build_meta.json", "", ".tmp-1", ".", "a/b", "BUILD_META.json", "nul", "é", "x."];
    let listing: Listing = names.into_iter().zip(1..).map(|(text, size)| (text.to_owned(), size)).collect();
    assert_eq!(listing.artifacts, BTreeMap::from([(name("a.zip"), 1)]));
    assert!(listing.metafile);
    assert_eq!(listing.odd, ["a/b", "BUILD_META.json", "nul", "é", "x."].map(String::from).into());
    assert!(!Listing::from_iter([("a.zip".to_owned(), 1)]).metafile);
}
