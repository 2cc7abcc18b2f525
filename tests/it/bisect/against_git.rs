//! Beside `git bisect run` on the same history with the same fault: the same culprit, in no more tries.

use fastrand::Rng;

use super::{History, STATE, drawn, ids, some};

/// Has git bisect, and returns the culprit and how many tries that took.
fn git(history: &History, first_parent: bool) -> (String, usize) {
    let sandbox = &history.sandbox;
    drop(std::fs::remove_file(sandbox.path("tries")));
    let flags: &[&str] = if first_parent { &["--first-parent"] } else { &[] };
    sandbox.git("repo", &[&["bisect", "start"], flags, &["main", &history.ids[0]]].concat());
    let test = format!("echo >> ../tries; ! grep -q fault {STATE}");
    sandbox.git("repo", &["bisect", "run", "sh", "-c", &test]);
    let culprit = sandbox.git("repo", &["rev-parse", "refs/bisect/bad"]).trim().to_owned();
    sandbox.git("repo", &["bisect", "reset", "main"]);
    let tries = std::fs::read_to_string(sandbox.path("tries")).map_or(0, |text| text.lines().count());
    (culprit, tries)
}

#[test]
fn where_every_commit_was_built_it_is_gits_culprit_in_as_many_tries() {
    let mut lots = Rng::with_seed(1);
    for round in 0..10 {
        let (commits, merges) = (lots.usize(2..60), round % 2 == 1);
        let parents = drawn(&mut lots, commits, merges);
        // On a branch that was merged, too: along first parents it is the merge that brought it.
        let mut fault = lots.usize(1..parents.len());
        let history = loop {
            let history = History::new(parents.clone(), fault);
            if history.faulty[parents.len() - 1] {
                break history;
            }
            fault = parents.len() - 1;
        };
        history.build_all();
        let (found, tried) = history.bisected();
        let (culprit, tries) = git(&history, true);
        assert_eq!(found["bad"]["commit"], culprit, "round {round}");
        assert_eq!((&culprit[..], ids(&found["commits"])), (history.culprit(), vec![&culprit[..]]));
        assert_eq!((tried.len(), &found["steps"]), (tries, &tries.into()), "round {round}: {tried:?}");
        assert!(!history.is_under_way());
    }
}

#[test]
fn where_git_looks_along_all_parents_it_finds_no_other_and_needs_no_fewer_tries() {
    let mut lots = Rng::with_seed(2);
    let (mut ours, mut gits) = (0, 0);
    for round in 0..6 {
        let parents = drawn(&mut lots, 40, true);
        let plain = History::new(parents.clone(), parents.len() - 1);
        let fault = plain.line[lots.usize(1..plain.line.len())];
        let history = History::new(parents, fault);
        history.build_all();
        let (found, tried) = history.bisected();
        let (culprit, tries) = git(&history, false);
        assert_eq!(
            (&found["bad"]["commit"], history.culprit()),
            (&culprit.clone().into(), &culprit[..]),
            "round {round}"
        );
        (ours, gits) = (ours + tried.len(), gits + tries);
    }
    assert!(ours <= gits, "{ours} tries, and git needs {gits}");
}

#[test]
fn where_few_commits_were_built_the_culprit_is_among_those_that_are_told_and_it_takes_fewer_tries() {
    let mut lots = Rng::with_seed(3);
    let (mut ours, mut gits) = (0, 0);
    for round in 0..10 {
        let parents = drawn(&mut lots, 60, round % 2 == 1);
        let line = History::new(parents.clone(), 1).line;
        let chance = [0.1, 0.3, 0.5, 0.8][round % 4];
        let built = some(&mut lots, &line, chance);
        let last = *built.last().unwrap();
        // What is bad was built: else nothing could be told apart.
        let places: Vec<usize> = line.iter().copied().filter(|place| 0 < *place && *place <= last).collect();
        let Some(&fault) = lots.choice(&places) else { continue };
        let history = History::new(parents, fault);
        built.iter().for_each(|place| history.build(*place));
        let (found, tried) = history.bisected();
        let (culprit, tries) = git(&history, true);
        assert!(ids(&found["commits"]).contains(&&culprit[..]), "round {round}: {culprit} is not in {found}");
        let (builds, commits) = (built.len() - 1, line.len() - 1);
        // Half as many take a try less than all of them at least; more of them may take one more than git with its luck.
        let most = if 2 * builds <= commits { tries } else { tries + 1 };
        assert!(
            tried.len() <= most,
            "round {round}: {} tries of {builds} builds, git's of {commits}: {tries}",
            tried.len()
        );
        assert!(tried.len() <= builds.next_power_of_two().ilog2() as usize);
        (ours, gits) = (ours + tried.len(), gits + tries);
    }
    assert!(ours < gits, "{ours} tries, and git needs {gits}");
}
