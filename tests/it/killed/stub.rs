//! Stubbing: one commit, and a pushed range, as hooks have it done.

use metalogic::address::Commit;
use metalogic::hook::{Hook, Update};
use metalogic::journal::{Job, Journal};
use metalogic::metafile::{Metafile, SkipLinks};
use metalogic::moved::Moves;

use super::everywhere;
use super::law;
use super::place::Place;
use super::scenario::{Scenario, Standing};

/// How many commits are pushed.
const PUSHED: usize = 6;

everywhere! {
    a_stub_is_whole_or_not_there,
    the_stubs_of_a_range_are_completed_by_a_further_run,
    what_a_hook_left_to_do_stays_until_it_is_done,
}

/// A history whose first commit was built, and the stubs that its other commits are to have.
struct History<'a> {
    place: &'a Place,
    built: Metafile,
    stubs: Vec<Metafile>,
}

impl<'a> History<'a> {
    fn new(place: &'a Place, commits: usize) -> Self {
        let first = place.register(&["0.bin".to_owned()]);
        let built = law::metafile(first, &law::files(1, 10));
        let mut stubs: Vec<Metafile> = Vec::new();
        for number in 0..commits {
            let commit = place.commit(&format!("pushed {number}"));
            let tree = place.sandbox.git("repo", &["rev-parse", "HEAD^{tree}"]).trim().parse().ok();
            let parent = stubs.last().unwrap_or(&built);
            let ancestors: Vec<Commit> =
                [&built].into_iter().chain(&stubs).rev().map(|metafile| metafile.commit).collect();
            stubs.push(Metafile { tree, skips: SkipLinks::of(&ancestors), ..parent.stub(commit, Some(parent.commit)) });
        }
        Self { place, built, stubs }
    }

    fn first(&self) -> Commit {
        self.built.commit
    }

    fn last(&self) -> Commit {
        self.stubs.last().unwrap().commit
    }

    fn begin(&self) {
        self.place.begin();
        self.place.plant(&law::metafile_key(self.first()), self.built.to_bytes().unwrap());
        self.place.plant(&format!("{}0.bin", self.first().address()), law::noise(0, 10));
    }

    /// Holds that each stub is whole or not there.
    fn standing(&self) -> Standing {
        let stored = |stub: &&Metafile| match self.place.object(&law::metafile_key(stub.commit)) {
            None => false,
            Some(stored) => {
                assert!(stored == stub.to_bytes().unwrap(), "{} has another stub", stub.commit);
                true
            }
        };
        Standing::of(self.stubs.iter().filter(stored).count(), self.stubs.len())
    }

    /// Kills a command and has it run again, which reads what it is given.
    fn kill(&self, name: &'static str, words: &[&str], input: String) {
        let law = || self.standing();
        let (show, fetch) = (|| law::shows(self.place, self.last()), || law::fetches(self.place, &law::files(1, 10)));
        Scenario {
            prepare: &|| self.begin(),
            command: &|| self.place.command(words),
            input,
            readers: &[&show, &fetch],
            ..Scenario::new(self.place, name, &law)
        }
        .run();
    }
}

fn a_stub_is_whole_or_not_there(place: &Place) {
    History::new(place, 1).kill("stub", &["stub"], String::new());
}

fn the_stubs_of_a_range_are_completed_by_a_further_run(place: &Place) {
    let history = History::new(place, PUSHED);
    let line = format!("{} {} refs/heads/main\n", history.first(), history.last());
    history.kill("stub --stdin (a pushed range)", &["stub", "--stdin"], line);
}

#[test]
fn the_stubs_of_a_push_are_completed_by_a_further_one() {
    let place = Place::directory();
    let history = History::new(&place, PUSHED);
    let (old, new) = (history.first(), history.last());
    let line = format!("refs/heads/main {new} refs/heads/main {old}\n");
    history.kill("stub --hook pre-push", &["stub", "--hook", "pre-push", "--", "origin", "../origin"], line);
}

fn what_a_hook_left_to_do_stays_until_it_is_done(place: &Place) {
    let history = History::new(place, PUSHED);
    let journal = Journal::of(&place.sandbox.path("repo/.git"));
    let (old, new) = (Some(history.first()), Some(history.last()));
    let moves = Moves { updates: vec![Update { old, new, reference: None }], ..Moves::default() };
    let prepare = || {
        history.begin();
        journal.waiting().unwrap().iter().for_each(|waiting| journal.put_away(waiting).unwrap());
        let (moves, store) = (moves.clone(), Some(place.url()));
        journal.add(&Job { by: Some(Hook::PrePush), moves, store, ..Job::default() }).unwrap();
    };
    let law = || {
        let standing = history.standing();
        let waits = !journal.waiting().unwrap().is_empty();
        assert!(waits || standing == Standing::Whole, "nobody knows of the rest");
        standing
    };
    let (show, fetch) = (|| law::shows(place, history.last()), || law::fetches(place, &law::files(1, 10)));
    let status = || assert_eq!(place.run(&["hooks", "status"]).code, Some(0));
    Scenario {
        prepare: &prepare,
        command: &|| place.command(&["stub", "--queued"]),
        readers: &[&show, &fetch, &status],
        ..Scenario::new(place, "stub --queued (what a hook left to do)", &law)
    }
    .run();
    assert_eq!(journal.waiting().unwrap().len(), 0, "what is done waits no more");
}
