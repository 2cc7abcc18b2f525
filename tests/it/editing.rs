//! Adding to a registry: exactly the names are new, and every other byte stays what it was.

use fastrand::Rng;
use metalogic::artifact::Name;
use metalogic::policy::Policy;
use metalogic::registry::edit::{Addition, EditError, Edited, add};
use metalogic::registry::{Entry, LARGEST, ProjectName, Registry};

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn project(text: &str) -> ProjectName {
    text.parse().unwrap()
}

fn try_add(text: &str, to: &str, names: &[&str]) -> Result<Edited, EditError> {
    let names: Vec<Name> = names.iter().map(|text| name(text)).collect();
    let project = project(to);
    add(
        text.as_bytes(),
        "artifacts.toml",
        &Addition { project: Some(&project), names: &names, description: None, new_project: true },
    )
}

fn added(text: &str, to: &str, names: &[&str]) -> String {
    let edited = try_add(text, to, names).unwrap_or_else(|error| panic!("{error}:\n{text}"));
    String::from_utf8(edited.text).unwrap()
}

fn parse(text: &str) -> Registry {
    Registry::parse(text.as_bytes(), "artifacts.toml").unwrap()
}

#[test]
fn a_name_is_added_in_the_style_that_the_file_has() {
    let cases = [
        // One line, with and without a comma at its end.
        ("[projects.a]\nartifacts = []\n", "[projects.a]\nartifacts = [\"n\"]\n"),
        ("[projects.a]\nartifacts = [ ]\n", "[projects.a]\nartifacts = [\"n\"]\n"),
        ("[projects.a]\nartifacts = ['x']", "[projects.a]\nartifacts = ['x', \"n\"]"),
        ("[projects.a]\nartifacts = [ 'x', ] # all\n", "[projects.a]\nartifacts = [ 'x', \"n\", ] # all\n"),
        ("[projects.a]\nartifacts = ['x',\n 'y']\n", "[projects.a]\nartifacts = ['x',\n 'y',\n \"n\"]\n"),
        ("[projects.a]\nartifacts = ['x', 'y'\n]\n", "[projects.a]\nartifacts = ['x', 'y', \"n\"\n]\n"),
        // A line for each.
        ("[projects.a]\nartifacts = [\n\t'x',\n]\n", "[projects.a]\nartifacts = [\n\t'x',\n\t\"n\",\n]\n"),
        ("[projects.a]\nartifacts = [\n  'x'\n]\n", "[projects.a]\nartifacts = [\n  'x',\n  \"n\"\n]\n"),
        ("[projects.a]\nartifacts = [\n]\n", "[projects.a]\nartifacts = [\n    \"n\",\n]\n"),
        ("[projects.a]\n  artifacts = [\n  ]\n", "[projects.a]\n  artifacts = [\n      \"n\",\n  ]\n"),
        // Comments are about what stands before them.
        (
            "[projects.a]\nartifacts = [\n  # 'x',\n  # or so\n]\n",
            "[projects.a]\nartifacts = [\n  # 'x',\n  # or so\n  \"n\",\n]\n",
        ),
        ("[projects.a]\nartifacts = [ # , none\n]\n", "[projects.a]\nartifacts = [ # , none\n    \"n\",\n]\n"),
        (
            "[projects.a]\nartifacts = [\n  'x' # the x, ]\n  # more, of it\n\n]\n",
            "[projects.a]\nartifacts = [\n  'x', # the x, ]\n  # more, of it\n  \"n\"\n\n]\n",
        ),
        ("[projects.a]\nartifacts = ['x', # the x\n]\n", "[projects.a]\nartifacts = ['x', # the x\n    \"n\",\n]\n"),
        (
            "[projects.a]\nartifacts = [\n  { name = 'x', description = '[,#' },\n]\n",
            "[projects.a]\nartifacts = [\n  { name = 'x', description = '[,#' },\n  \"n\",\n]\n",
        ),
        // Where there is no array yet.
        ("[projects.a]", "[projects.a]\nartifacts = [\"n\"]"),
        ("  [projects.'a'] # the a\n\n[store]\n", "  [projects.'a'] # the a\n  artifacts = [\"n\"]\n\n[store]\n"),
        ("[projects.a]\n  retired = ['x'] # y\n", "[projects.a]\n  retired = ['x'] # y\n  artifacts = [\"n\"]\n"),
        ("projects.a.retired = ['x']\n", "projects.a.retired = ['x']\nprojects.a.artifacts = [\"n\"]\n"),
        ("[projects]\na = {}\n", "[projects]\na = { artifacts = [\"n\"] }\n"),
        ("[projects]\na = {retired=['x']}\n", "[projects]\na = { artifacts = [\"n\"], retired=['x']}\n"),
        ("projects = { a = { retired = [] } }\n", "projects = { a = { artifacts = [\"n\"], retired = [] } }\n"),
        // Other ways to write a project.
        ("projects.a.artifacts = ['x']\n", "projects.a.artifacts = ['x', \"n\"]\n"),
        ("[projects]\na.artifacts = ['x']\n", "[projects]\na.artifacts = ['x', \"n\"]\n"),
        ("[projects]\na = { artifacts = ['x'] }\n", "[projects]\na = { artifacts = ['x', \"n\"] }\n"),
        (
            "  [[projects.a.artifacts]] # one\n  name = 'x' # x\n[store]\n",
            "  [[projects.a.artifacts]] # one\n  name = 'x' # x\n\n  [[projects.a.artifacts]]\n  name = \"n\"\n[store]\n",
        ),
        // New projects.
        ("", "[projects.a]\nartifacts = [\n    \"n\",\n]\n"),
        ("[projects.b]", "[projects.b]\n\n[projects.a]\nartifacts = [\n    \"n\",\n]\n"),
        ("projects = {}\n", "projects = { a = { artifacts = [\"n\"] } }\n"),
        ("projects.b.retired = []\n", "projects.b.retired = []\n\n[projects.a]\nartifacts = [\n    \"n\",\n]\n"),
        ("[projects.a.tool]\nx = 1\n", "[projects.a.tool]\nx = 1\n\n[projects.a]\nartifacts = [\n    \"n\",\n]\n"),
    ];
    for (before, after) in cases {
        assert_eq!(added(before, "a", &["n"]), after);
        for mark in ["\u{feff}", ""] {
            let dos = |text: &str| format!("{mark}{}", text.replace('\n', "\r\n"));
            // The line's end of a text of one line is the program's own.
            if before.contains('\n') {
                assert_eq!(added(&dos(before), "a", &["n"]), dos(after));
            }
        }
    }
}

#[test]
fn a_retired_name_is_moved_back_and_comments_stay() {
    let cases = [
        ("['n']", "[]"),
        ("['n', 'x']", "['x']"),
        ("['x', 'n']", "['x']"),
        ("['x', 'n',]", "['x', ]"),
        ("['x', 'n', 'y']", "['x', 'y']"),
        ("[\n  'x',\n  'n',\n  'y',\n]", "[\n  'x',\n  'y',\n]"),
        ("[\n  'x',\n  'n'\n]", "[\n  'x'\n]"),
        ("[\n  'n',\n]", "[\n]"),
        ("[\n  'n', # in 2024, by Ada\n  'x',\n]", "[\n  # in 2024, by Ada\n  'x',\n]"),
        ("[\n  'x' # , x\n  , 'n' # n\n]", "[\n  'x' # , x\n  # n\n]"),
        ("[\n  'x', # x\n  'n'\n]", "[\n  'x' # x\n]"),
        ("[\n  'n' # , n\n  , 'x'\n]", "[\n  # , n\n  'x'\n]"),
    ];
    for (before, after) in cases {
        let text =
            |retired: &str, names: &str| format!("[projects.a]\nretired = {retired} # r\nartifacts = [{names}]\n");
        let edited = try_add(&text(before, ""), "a", &["n"]).unwrap();
        assert_eq!(String::from_utf8(edited.text).unwrap(), text(after, "\"n\""));
        assert_eq!((edited.returned, edited.added), (vec![name("n")], vec![]));
    }
}

#[test]
fn a_name_that_the_project_has_changes_nothing() {
    let text = "\u{feff}[projects.a]\r\nartifacts=['x',  {name='y'}]\r\n";
    let edited = try_add(text, "a", &["y", "x", "y"]).unwrap();
    assert_eq!(edited.text, text.as_bytes());
    assert_eq!(edited.present, [name("y"), name("x"), name("y")]);
    // A name that is given twice is added once.
    assert_eq!(added("[projects.a]\nartifacts = []\n", "a", &["n", "n"]), "[projects.a]\nartifacts = [\"n\"]\n");
}

#[test]
fn a_description_makes_an_entry_a_table() {
    let (names, project) = ([name("n")], project("a"));
    let described = |text: &str| {
        let description = Some("the \"n\"\t\\ é");
        let addition = Addition { project: Some(&project), names: &names, description, new_project: false };
        let new = add(text.as_bytes(), "x", &addition).unwrap().text;
        let registry = parse(std::str::from_utf8(&new).unwrap());
        let expected = Entry { description: description.map(str::to_owned), ..Entry::named(name("n")) };
        assert_eq!(registry.projects[&project].artifacts.last(), Some(&expected));
        String::from_utf8(new).unwrap()
    };
    assert_eq!(
        described("[projects.a]\nartifacts = ['x']\n"),
        "[projects.a]\nartifacts = ['x', { name = \"n\", description = \"the \\\"n\\\"\\u0009\\\\ é\" }]\n"
    );
    described("[[projects.a.artifacts]]\nname = 'x'\n");
}

#[test]
fn what_is_declared_of_the_others_stays() {
    let table = "name = 'x'\ninputs = [\n  'web/', # ours\n  ':!*.md',\n]\npolicy = 'exact'\n";
    let text = format!("[[projects.a.artifacts]]\n{table}\n[store]\nurl = 's3://dev'\n");
    let new = added(&text, "a", &["n"]);
    let expected = format!("{table}\n[[projects.a.artifacts]]\nname = \"n\"\n");
    assert!(new.contains(&expected), "{new}");
    let entry = parse(&new).entry(&name("x")).cloned().unwrap();
    assert_eq!((entry.inputs.unwrap().specs().len(), entry.policy), (2, Some(Policy::Exact)));
    let inline = "[projects.a]\nartifacts = [{ name = 'x', inputs = ['web/'], policy = 'fresh' }]\nretired = ['n']\n";
    assert_eq!(
        added(inline, "a", &["n"]),
        "[projects.a]\nartifacts = [{ name = 'x', inputs = ['web/'], policy = 'fresh' }, \"n\"]\nretired = []\n"
    );
}

#[test]
fn what_is_anothers_is_refused_with_its_owner_and_place() {
    let text = "[projects.a]\nartifacts = ['x']\nretired = ['old']\n[projects.b]\nartifacts = [\n  'why',\n]\n";
    let told = |to: &str, names: &[&str]| try_add(text, to, names).unwrap_err().to_string();
    assert_eq!(told("a", &["why"]), "why is registered already, in project b (artifacts.toml:6:3)");
    assert_eq!(told("b", &["new", "old"]), "old is registered already, in project a, retired (artifacts.toml:3:12)");
    assert_eq!(told("a", &["X"]), "X differs only in case from x, in project a (artifacts.toml:2:14)");
    let other = try_add("[projects.b]\nretired = ['Old.ZIP']\n", "a", &["old.zip"]).unwrap_err().to_string();
    assert_eq!(other, "old.zip differs only in case from Old.ZIP, in project b, retired (artifacts.toml:2:12)");
    assert!(told("a", &["new", "New"]).starts_with("New differs only in case from new, in project a"));
}

#[test]
fn a_project_that_is_not_there_is_made_only_on_demand() {
    let text = "[projects.webapp]\n[projects.tools]\n";
    let ask = |project: Option<&str>, new_project: bool| {
        let project = project.map(self::project);
        let names = [name("n")];
        add(
            text.as_bytes(),
            "names.toml",
            &Addition { project: project.as_ref(), names: &names, description: None, new_project },
        )
    };
    let Err(EditError::NoProject { near, .. }) = ask(Some("wepapp"), false) else { panic!("it is not there") };
    assert_eq!(near, Some(project("webapp")));
    assert!(matches!(ask(Some("zzz"), false), Err(EditError::NoProject { near: None, .. })));
    assert!(ask(Some("wepapp"), true).is_ok());
    let error = ask(None, true).unwrap_err().to_string();
    assert_eq!(error, "names.toml has several projects (webapp, tools), and none was named");
    let only = add(
        b"[projects.webapp]\n",
        "x",
        &Addition { project: None, names: &[name("n")], description: None, new_project: false },
    );
    assert_eq!(only.unwrap().project, project("webapp"));
}

#[test]
fn what_is_malformed_or_points_or_would_grow_too_large_is_refused() {
    assert!(matches!(try_add("[projects.a]\nartifacts = 1\n", "a", &["n"]), Err(EditError::Registry(_))));
    assert!(matches!(try_add("[repository]\nregistry = 'x'\n", "a", &["n"]), Err(EditError::Points(_))));
    let full = format!("[projects.a]\nartifacts = []\n#{}", "x".repeat(usize::try_from(LARGEST).unwrap() - 30));
    assert!(matches!(try_add(&full, "a", &["name"]), Err(EditError::NoPlace { .. })));
}

/// Writes a registry in a random style.
fn registry(rng: &mut Rng) -> String {
    let ends = if rng.bool() { "\n" } else { "\r\n" };
    let mut text = String::new();
    let pick = |rng: &mut Rng, from: &[&str]| from[rng.usize(..from.len())].to_owned();
    let mut next = 0;
    let array = |rng: &mut Rng, next: &mut usize, tables: bool| {
        let mut array = "[".to_owned();
        let count = rng.usize(..4);
        for n in 0..count {
            *next += 1;
            array += &pick(rng, &["", " ", "\n", "\n    ", " # c, ]\n\t", "\n# 'c'\n  "]);
            array += &match rng.u8(..5) {
                0 if tables => format!("{{ name = 'n{next}', description = \"#,]\" }}"),
                2 if tables => {
                    format!("{{ inputs = ['#web/', # g ]\n \":!**/*.md\",], name = 'n{next}', policy = 'fresh' }}")
                }
                1 => format!("\"n{next}\""),
                _ => format!("'n{next}'"),
            };
            array += &pick(rng, &["", " ", "\n", " # d, [\n"]);
            array += if n + 1 < count || rng.bool() { "," } else { "" };
        }
        array + &pick(rng, &["", " ", "\n", " # e, ]\n", "\n  # f\n\n", "\n\n"]) + "]"
    };
    let projects = ["a", "'b/c'", "\"d.e\"", "f"];
    for name in projects.iter().take(rng.usize(..=projects.len())) {
        let (artifacts, retired) = (array(rng, &mut next, true), array(rng, &mut next, false));
        let shown = [rng.bool(), rng.bool()];
        let pairs = [format!("artifacts = {artifacts}"), format!("retired={retired} # r")];
        let pairs: Vec<&String> = pairs.iter().zip(shown).filter(|(_, shown)| *shown).map(|(pair, _)| pair).collect();
        text += &pick(rng, &["", "\n", "# about it\n"]);
        match rng.u8(..3) {
            0 if !text.contains("\n[") && !text.starts_with('[') => {
                for pair in &pairs {
                    text += &format!("projects . {name}.{pair}\n");
                }
            }
            _ => {
                text += &format!("[projects.{name}]{}\n", pick(rng, &["", " # header"]));
                for pair in &pairs {
                    text += &format!("{}{pair}\n", pick(rng, &["", "  "]));
                }
            }
        }
    }
    text += &pick(rng, &["", "[store]\nurl = 's3://dev' # there", "# the end\n\n"]);
    pick(rng, &["", "\u{feff}"]) + &text.replace('\n', ends)
}

#[test]
fn an_addition_is_the_old_registry_and_the_name_and_every_line_of_the_old_file() {
    let mut kinds = [0; 3];
    for seed in 0..6_000 {
        let mut rng = Rng::with_seed(seed);
        let text = registry(&mut rng);
        let old = Registry::parse(text.as_bytes(), "x").unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        let to = ["a", "b/c", "d.e", "f", "new"][rng.usize(..5)];
        let holds = old.projects.get(&project(to)).cloned().unwrap_or_default();
        let retired = if holds.retired.is_empty() { None } else { rng.choice(&holds.retired) };
        let wanted = retired.filter(|_| rng.bool()).cloned().unwrap_or(name("the-new.zip"));
        let edited = try_add(&text, to, &[wanted.as_str()]);
        let edited = edited.unwrap_or_else(|error| panic!("seed {seed}: {error}\n{text}"));
        let new = String::from_utf8(edited.text).unwrap();

        let mut expected = old.clone();
        let project = expected.projects.entry(project(to)).or_default();
        project.retired.retain(|name| *name != wanted);
        project.artifacts.push(Entry::named(wanted.clone()));
        let said = parse(&new);
        assert!(said.projects.keys().eq(expected.projects.keys()), "seed {seed}:\n{text}\n---\n{new}");
        assert_eq!(said, expected, "seed {seed}:\n{text}\n---\n{new}");

        kinds[if edited.returned.is_empty() { usize::from(to == "new") } else { 2 }] += 1;
        assert_eq!(new.contains("\r\n"), text.contains("\r\n"), "seed {seed}");
        assert!(!new.contains("\r\n") || !new.replace("\r\n", "").contains('\n'), "seed {seed}: {new:?}");
        if edited.returned.is_empty() {
            assert!(is_within(&text, &new), "seed {seed}:\n{text}\n---\n{new}");
        }
        let comments = |text: &str| text.matches('#').count();
        assert_eq!(comments(&text), comments(&new), "seed {seed}");
    }
    assert!(kinds.iter().all(|count| *count > 300), "{kinds:?}");
}

/// Says whether a text is another one with nothing but more characters in it.
fn is_within(text: &str, longer: &str) -> bool {
    let mut rest = longer.chars();
    text.chars().filter(|c| !c.is_whitespace()).all(|c| rest.any(|other| other == c))
}

#[test]
fn no_bytes_make_an_addition_panic() {
    for seed in 0..3_000 {
        let mut rng = Rng::with_seed(seed);
        let mut bytes = registry(&mut rng).into_bytes();
        for _ in 0..rng.usize(1..6) {
            let at = rng.usize(..=bytes.len());
            match rng.u8(..3) {
                0 => bytes.insert(at, b"[]{}=.,'\"\n#\r \xff"[rng.usize(..14)]),
                1 => bytes.truncate(at),
                _ => drop(bytes.drain(at.saturating_sub(5)..at)),
            }
        }
        let (names, project) = ([name("n")], project("a"));
        let addition = Addition { project: Some(&project), names: &names, description: None, new_project: true };
        drop(add(&bytes, "x", &addition));
    }
}
