//! What git gives to a hook is read, and what git would not give is refused by line; what waits and what was done is kept.

use metalogic::address::Commit;
use metalogic::hook::{self, Heard, HeardError, Hook, Rewrite, Update};
use metalogic::journal::{Entry, Job, Journal, Trouble};
use metalogic::moved::{self, Moves};

fn id(digit: char) -> Commit {
    digit.to_string().repeat(40).parse().unwrap()
}

fn update(old: Option<char>, new: Option<char>, name: &str) -> Update {
    Update { old: old.map(id), new: new.map(id), reference: (!name.is_empty()).then(|| name.to_owned()) }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn each_hook_hears_what_git_gives_it() {
    let (a, b, zero) = ("a".repeat(40), "b".repeat(40), "0".repeat(40));
    let hear = |hook: Hook, arguments: &[&str], input: &str| hook.hear(&words(arguments), input).unwrap();
    assert_eq!(hear(Hook::PostCommit, &[], ""), Heard::Head);
    assert_eq!(hear(Hook::PostApplypatch, &[], ""), Heard::Head);
    assert_eq!(hear(Hook::PostMerge, &["0"], ""), Heard::Merged);
    assert_eq!(hear(Hook::PostMerge, &["1"], ""), Heard::Nothing);
    let rewritten = vec![Rewrite { old: id('a'), new: id('b') }, Rewrite { old: id('b'), new: id('a') }];
    assert_eq!(hear(Hook::PostRewrite, &["rebase"], &format!("{a} {b}\n{b} {a} more\n")), Heard::Rewritten(rewritten));
    let received = format!("{a} {b} refs/heads/x\n{zero} {a} refs/tags/v1\n{a} {zero} refs/heads/gone\n");
    let updates = vec![
        update(Some('a'), Some('b'), "refs/heads/x"),
        update(None, Some('a'), "refs/tags/v1"),
        update(Some('a'), None, "refs/heads/gone"),
    ];
    assert_eq!(hear(Hook::PostReceive, &[], &received), Heard::Moved { updates, remote: None });
    // A local ref may be any expression, with spaces too; a deletion has none.
    let pushed = format!(
        "HEAD~1 {b} refs/heads/x {a}\n(delete) {zero} refs/heads/gone {a}\n:/fix the {b} refs/heads/y {zero}\n"
    );
    let updates = vec![
        update(Some('a'), Some('b'), "refs/heads/x"),
        update(Some('a'), None, "refs/heads/gone"),
        update(None, Some('b'), "refs/heads/y"),
    ];
    let remote = Some("origin".to_owned());
    assert_eq!(hear(Hook::PrePush, &["origin", "ssh://host/x"], &pushed), Heard::Moved { updates, remote });
}

#[test]
fn what_git_would_not_give_is_refused_by_its_line() {
    let a = "a".repeat(40);
    let refused = |input: &str| hook::updates(input).unwrap_err().to_string();
    let form = format!("{a} {a} refs/heads/x refs/heads/y\n");
    assert_eq!(refused(&form), format!("line 1 is {:?}, and `OLD NEW [REF]` belongs there", &form[..80]));
    assert_eq!(refused(&format!("{a} {a}\n\n{a}\n")), format!("line 3 is {a:?}, and `OLD NEW [REF]` belongs there"));
    for word in ["HEAD", "../../x", "-n", "\u{202e}", &"a".repeat(39), &"A".repeat(40), &"0".repeat(39)] {
        let refused = hook::updates(&format!("{a} {word} refs/heads/x"));
        assert!(matches!(refused, Err(HeardError::Id { line: 1, .. })), "{word}: {refused:?}");
    }
    assert!(Hook::PostRewrite.hear(&[], &format!("{a} {}\n", "0".repeat(40))).is_err(), "a rewritten commit is one");
    assert!(Hook::PrePush.hear(&[], "one\n").is_err());
    assert!("post-checkout".parse::<Hook>().is_err());
}

#[test]
fn what_mends_it_by_hand_is_one_command_for_what_goes_on_from_each_other() {
    let one = |old, new| Moves { updates: vec![update(old, Some(new), "")], ..Moves::default() };
    let range = |old: char, new: char| format!("metalogic stub --range {}..{}", id(old), id(new));
    let moves =
        [one(Some('1'), '2'), one(Some('2'), '3'), one(Some('7'), '8'), one(Some('3'), '4'), one(Some('7'), '8')];
    assert_eq!(moved::by_hand(&moves), [range('7', '8'), range('1', '4')]);
    let rewrites = vec![Rewrite { old: id('1'), new: id('2') }, Rewrite { old: id('3'), new: id('4') }];
    let moves = Moves { commits: vec![id('5')], rewrites, ..one(None, '6') };
    let stub = format!("metalogic stub {}", id('5'));
    let new = format!("metalogic stub --range {}..{}", "0".repeat(40), id('6'));
    assert_eq!(moved::by_hand(&[moves]), [stub, new, range('3', '4')]);
    let gone = Moves {
        updates: vec![update(Some('1'), None, "refs/heads/x"), update(None, Some('1'), "refs/notes/x")],
        ..Moves::default()
    };
    assert!(gone.is_empty() && moved::by_hand(&[gone]).is_empty());
}

#[test]
fn the_log_is_bounded_and_a_line_that_is_cut_short_costs_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::of(directory.path());
    assert_eq!(journal.entries().unwrap(), []);
    let trouble = Trouble { kind: "unavailable".to_owned(), message: "x".repeat(500), hint: None };
    let entry = |number: usize| Entry { stubbed: number, failures: vec![trouble.clone()], ..Entry::default() };
    for number in 0..1000 {
        journal.note(&entry(number)).unwrap();
    }
    let size: u64 =
        std::fs::read_dir(journal.directory()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!((100_000..300_000).contains(&size), "{size}");
    let numbers: Vec<usize> = journal.entries().unwrap().iter().map(|entry| entry.stubbed).collect();
    assert!(numbers.len() > 150 && numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");
    assert_eq!(numbers.last(), Some(&999));
    let log = journal.directory().join("log");
    let whole = std::fs::read(&log).unwrap();
    std::fs::write(&log, [&whole[..whole.len() - 40], b"\n\xff\xfe\n"].concat()).unwrap();
    journal.note(&entry(1000)).unwrap();
    let last: Vec<usize> = journal.entries().unwrap().iter().rev().take(2).map(|entry| entry.stubbed).collect();
    assert_eq!(last, [1000, 998]);
    let many = Entry { by_hand: (0..100).map(|number| number.to_string()).collect(), ..Entry::default() };
    journal.note(&many).unwrap();
    assert_eq!(journal.entries().unwrap().last().unwrap().by_hand, many.by_hand[80..]);
}

#[test]
fn the_queue_keeps_its_order_and_its_bounds_and_one_has_the_turn() {
    let directory = tempfile::tempdir().unwrap();
    let journal = Journal::of(directory.path());
    let job = |number: usize| Job { store: Some(number.to_string()), ..Job::default() };
    let numbers = || -> Vec<usize> {
        journal.waiting().unwrap().iter().map(|waiting| waiting.job.store.as_ref().unwrap().parse().unwrap()).collect()
    };
    for number in 0..1003 {
        journal.add(&job(number)).unwrap();
    }
    assert_eq!(numbers(), (3..1003).collect::<Vec<_>>(), "the oldest go");
    for waiting in journal.waiting().unwrap().iter().skip(2) {
        journal.put_away(waiting).unwrap();
        journal.put_away(waiting).unwrap();
    }
    let queue = journal.directory().join("queue");
    std::fs::write(queue.join("00000000000000000001-1.json"), serde_json::to_vec(&job(7)).unwrap()).unwrap();
    std::fs::write(queue.join("nonsense.json"), "{").unwrap();
    let late = std::fs::read_dir(&queue).unwrap().map(|entry| entry.unwrap().path()).max().unwrap();
    assert_eq!(numbers(), [3, 4], "what is too old or nothing that waits is put away: {late:?}");
    assert_eq!(std::fs::read_dir(&queue).unwrap().count(), 2);

    let turn = journal.take_turn().unwrap();
    assert!(turn.is_some() && journal.take_turn().unwrap().is_none());
    drop(turn);
    assert!(journal.take_turn().unwrap().is_some());
}

#[cfg(unix)]
#[test]
fn what_hooks_leave_is_as_open_as_the_repository() {
    use std::os::unix::fs::PermissionsExt as _;
    for (mode, directories, files) in [(0o2775, 0o2775, 0o664), (0o755, 0o755, 0o644), (0o700, 0o700, 0o600)] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(mode)).unwrap();
        let journal = Journal::of(directory.path());
        journal.add(&Job::default()).unwrap();
        journal.note(&Entry::default()).unwrap();
        drop(journal.take_turn().unwrap());
        let has = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        let queue = journal.directory().join("queue");
        let job = std::fs::read_dir(&queue).unwrap().next().unwrap().unwrap().path();
        assert_eq!([journal.directory(), &queue].map(has), [directories; 2]);
        assert_eq!(
            [&job, &journal.directory().join("log"), &journal.directory().join("lock")].map(|path| has(path)),
            [files; 3]
        );
    }
}
