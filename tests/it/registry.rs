//! The registry: names with owners in, everything that is wrong with its place out.

use fastrand::Rng;
use metalogic::artifact::Name;
use metalogic::catalog::Catalog;
use metalogic::policy::Policy;
use metalogic::registry::{
    Encryption, Entry, LARGEST, Place, ProjectName, ProjectNameError, Registry, RegistryError, StoreTable,
};

/// The example of the specification, without the line that points elsewhere.
const EXAMPLE: &str = r#"[repository]                          # optional: what this repository is
projects = ["webapp"]                 # all of the registry's, when left out

[store]                               # optional: where artifacts live
url = "s3://dev"

[projects.webapp]                     # a project owns its artifacts; every name is unique across all projects
artifacts = ["cwwebapp.zip", { name = "cef.zip", description = "Chromium embedded, repackaged" }]
retired = ["old.zip"]                 # still fine where it lies, resolved no more

[projects."libs/audio"]
artifacts = ["zlib.tar.gz", "audio.so"]
"#;

fn parse(text: &str) -> Registry {
    Registry::parse(text.as_bytes(), "artifacts.toml").unwrap_or_else(|error| panic!("{error}"))
}

/// Returns what is wrong with a text, a line for each problem.
fn problems(text: impl AsRef<[u8]>) -> Vec<String> {
    match Registry::parse(text.as_ref(), "artifacts.toml") {
        Ok(_) => Vec::new(),
        Err(error @ RegistryError::Malformed(_)) => {
            let told = error.to_string();
            assert!(told.chars().all(|c| matches!(c, ' '..='~' | '\n')), "{told:?}");
            let lines: Vec<String> = told.lines().map(str::to_owned).collect();
            assert!(!lines.is_empty() && lines.iter().all(|line| line.starts_with("artifacts.toml:")), "{told}");
            lines
        }
        Err(error) => panic!("{error}"),
    }
}

fn warnings(text: &str) -> Vec<String> {
    parse(text).unknown_keys.iter().map(ToString::to_string).collect()
}

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

fn project(text: &str) -> ProjectName {
    text.parse().unwrap()
}

fn texts<T: ToString>(items: impl IntoIterator<Item = T>) -> Vec<String> {
    items.into_iter().map(|item| item.to_string()).collect()
}

#[test]
fn the_specified_example_is_read_in_the_authors_order() {
    let registry = parse(EXAMPLE);
    assert_eq!(registry.repository.projects, Some(vec![project("webapp")]));
    assert_eq!(registry.repository.registry, None);
    assert_eq!(registry.store.url.as_deref(), Some("s3://dev"));
    assert_eq!(registry.unknown_keys, []);
    assert_eq!(texts(registry.projects.keys()), ["webapp", "libs/audio"]);
    let webapp = &registry.projects[&project("webapp")];
    assert_eq!(texts(webapp.artifacts.iter().map(|entry| &entry.name)), ["cwwebapp.zip", "cef.zip"]);
    assert_eq!(webapp.artifacts[0].description, None);
    assert_eq!(webapp.artifacts[1].description.as_deref(), Some("Chromium embedded, repackaged"));
    assert_eq!(texts(&webapp.retired), ["old.zip"]);
    let audio = &registry.projects[&project("libs/audio")];
    assert_eq!(texts(audio.artifacts.iter().map(|entry| &entry.name)), ["zlib.tar.gz", "audio.so"]);
}

#[test]
fn a_file_may_point_to_another_and_define_nothing() {
    let registry = parse("[repository]\nprojects = [\"far\", \"away\"]\nregistry = \"s3://dev/artifacts.toml\"\n");
    assert_eq!(registry.repository.registry.as_deref(), Some("s3://dev/artifacts.toml"));
    assert_eq!(registry.repository.projects, Some(vec![project("far"), project("away")]));
    assert!(registry.projects.is_empty());
    assert_eq!(
        parse("[repository]\nregistry = \"../a.toml\"\n[projects]\n").repository.registry.as_deref(),
        Some("../a.toml")
    );
}

#[test]
fn everything_may_be_left_out() {
    for text in
        ["", "\n\n", "# nothing\n", "[repository]\n[store]\n[projects]\n", "[projects.a]\n", "\u{feff}[store]\n"]
    {
        let registry = parse(text);
        assert_eq!((registry.repository.projects.clone(), registry.store.url.clone()), (None, None));
        assert!(registry.all_names().is_empty() && registry.retired_names().is_empty());
        assert_eq!(registry.unknown_keys, []);
    }
}

#[test]
fn a_byte_order_mark_is_tolerated_and_counts_as_no_column() {
    assert_eq!(parse(&format!("\u{feff}{EXAMPLE}")), parse(EXAMPLE));
    assert_eq!(warnings("\u{feff}odd = 1"), ["artifacts.toml:1:1: unknown key \"odd\""]);
}

#[test]
fn each_value_of_a_wrong_type_is_told_what_belongs_there() {
    let cases = [
        ("repository = 1", "1:14: a table that describes the repository belongs here, this is an integer"),
        ("store = 's3://dev'", "1:9: a table that describes the store belongs here, this is a string"),
        ("projects = []", "1:12: a table of projects belongs here, this is an array"),
        ("[[projects]]", "1:1: a table of projects belongs here, this is an array"),
        ("[projects]\na = true", "2:5: a project's table belongs here, this is a boolean"),
        ("[projects.a]\nartifacts = 'x.zip'", "2:13: an array of artifacts belongs here, this is a string"),
        ("[projects.a]\nartifacts = { x = 1 }", "2:13: an array of artifacts belongs here, this is a table"),
        (
            "[projects.a]\nartifacts = ['x', 1.5]",
            "2:19: an artifact name in quotes, or a table with a name, belongs here, this is a float",
        ),
        (
            "[projects.a]\nartifacts = [{ name = 2026-01-01 }]",
            "2:23: an artifact name in quotes belongs here, this is a datetime",
        ),
        (
            "[projects.a]\nartifacts = [{ name = 'x', description = [] }]",
            "2:42: a description in quotes belongs here, this is an array",
        ),
        ("[projects.a]\nartifacts = [{ description = 'x' }]", "2:14: this artifact has no name"),
        ("[projects.a]\nretired = 'x'", "2:11: an array of artifact names belongs here, this is a string"),
        ("[projects.a]\nretired = [{ name = 'x' }]", "2:12: an artifact name in quotes belongs here, this is a table"),
        ("[repository]\nprojects = 'a'", "2:12: an array of project names belongs here, this is a string"),
        ("[repository]\nprojects = [1]", "2:13: a project name in quotes belongs here, this is an integer"),
        (
            "[repository]\nregistry = 1",
            "2:12: a path or a URL of a registry in quotes belongs here, this is an integer",
        ),
        ("[store]\nurl = {}", "2:7: the URL or the directory of a store in quotes belongs here, this is a table"),
    ];
    for (text, problem) in cases {
        assert_eq!(problems(text), [format!("artifacts.toml:{problem}")], "{text}");
    }
}

#[test]
fn the_terms_of_the_store_are_read() {
    let text = "[store]\nurl = \"s3://dev\"\nsse = \"aws:kms\"\nkms-key = \"arn:aws:kms:eu-north-1:111122223333:key/1\"\n\
                expected-owner = \"012345678901\"\nrequester-pays = true\nstorage-class = \"STANDARD_IA\"\n";
    let StoreTable { url, terms } = parse(text).store;
    assert_eq!(url.as_deref(), Some("s3://dev"));
    let key = "arn:aws:kms:eu-north-1:111122223333:key/1".to_owned();
    assert_eq!(terms.encryption, Some(Encryption::Kms(Some(key))));
    assert_eq!(terms.expected_owner.unwrap().as_str(), "012345678901");
    assert!(terms.requester_pays);
    assert_eq!(terms.storage_class.unwrap().as_str(), "STANDARD_IA");
    let encryption = |text: &str| parse(text).store.terms.encryption;
    assert_eq!(encryption("[store]\nsse = \"AES256\""), Some(Encryption::Aes256));
    assert_eq!(encryption("[store]\nsse = \"aws:kms\""), Some(Encryption::Kms(None)));
    assert_eq!(parse("[store]\nrequester-pays = false").store, StoreTable::default());
}

#[test]
fn a_term_that_the_store_cannot_have_is_refused_where_it_stands() {
    let cases = [
        ("sse = \"none\"", "7: \"none\" is no encryption of a store: \"AES256\" and \"aws:kms\" are"),
        ("sse = true", "7: \"AES256\" or \"aws:kms\" belongs here, this is a boolean"),
        ("kms-key = \"k\"", "11: a key counts only with sse = \"aws:kms\""),
        ("kms-key = \"k\"\nsse = \"AES256\"", "11: a key counts only with sse = \"aws:kms\""),
        ("sse = \"aws:kms\"\nkms-key = \"\"", "11: \"\" is no key's id, alias or ARN"),
        ("sse = \"aws:kms\"\nkms-key = \"a\\nb\"", "11: \"a\\nb\" is no key's id, alias or ARN"),
        ("expected-owner = \"1234\"", "18: \"1234\" is no account's id: an account's id has 12 digits"),
        ("expected-owner = \"12345678901x\"", "18: \"12345678901x\" is no account's id: an account's id has 12 digits"),
        (
            "expected-owner = 123456789012",
            "18: an account's id of 12 digits in quotes belongs here, this is an integer",
        ),
        ("requester-pays = \"yes\"", "18: true or false belongs here, this is a string"),
        (
            "storage-class = \"GLACIER\"",
            "17: \"GLACIER\" is no storage class for artifacts: what it holds has to be restored before it can be fetched",
        ),
        (
            "storage-class = \"standard\"",
            "17: \"standard\" is no storage class for artifacts: the classes are STANDARD, STANDARD_IA, ONEZONE_IA, \
             INTELLIGENT_TIERING, GLACIER_IR, REDUCED_REDUNDANCY, EXPRESS_ONEZONE, OUTPOSTS, SNOW, FSX_OPENZFS, FSX_ONTAP",
        ),
    ];
    for (table, problem) in cases {
        let line = 2 + usize::from(table.starts_with("sse = \"aws:kms\"\n"));
        let text = format!("[store]\n{table}\n");
        assert_eq!(problems(&text), [format!("artifacts.toml:{line}:{problem}")], "{text}");
    }
}

#[test]
fn the_stores_table_is_read_whatever_is_wrong_elsewhere_and_never_half() {
    let table = |text: &str| Registry::store_table_of(text.as_bytes(), "artifacts.toml");
    let wrong = "[projects.a]\nartifacts = [\"a/b\"]\n[store]\nurl = \"s3://dev\"\nsse = \"AES256\"\n";
    let StoreTable { url, terms } = table(wrong).unwrap();
    assert_eq!((url.as_deref(), terms.encryption), (Some("s3://dev"), Some(Encryption::Aes256)));
    table("[store]\nurl = \"s3://dev\"\nsse = \"AES\"\n").unwrap_err();
    table("store = 1\n").unwrap_err();
    table("[store\n").unwrap_err();
    assert_eq!(table("").unwrap(), StoreTable::default());
}

#[test]
fn where_a_registry_points_is_read_whatever_is_wrong_elsewhere_and_never_half() {
    let pointer = |text: &str| Registry::pointer_of(text.as_bytes(), "artifacts.toml");
    let wrong =
        "[repository]\nregistry = \"s3://dev/artifacts.toml\"\n[store]\nurl = 1\n[projects.a]\nartifacts = [\"a/b\"]\n";
    assert_eq!(pointer(wrong).unwrap().as_deref(), Some("s3://dev/artifacts.toml"));
    pointer("[repository]\nregistry = 1\n").unwrap_err();
    pointer("[repository\n").unwrap_err();
    assert_eq!(pointer("").unwrap(), None);
}

#[test]
fn an_empty_value_that_says_where_something_is_is_refused() {
    for empty in ["", " ", "\\t"] {
        let text = format!("[repository]\nregistry = \"{empty}\"\n");
        assert_eq!(problems(text), ["artifacts.toml:2:12: a path or a URL of a registry belongs here, this is empty"]);
        let text = format!("[store]\nurl = \"{empty}\"\n");
        assert_eq!(
            problems(text),
            ["artifacts.toml:2:7: the URL or the directory of a store belongs here, this is empty"]
        );
    }
    assert_eq!(
        problems("[repository]\nprojects = []"),
        ["artifacts.toml:2:12: a repository has at least one project: without this key, it has all"]
    );
}

#[test]
fn a_bad_artifact_name_is_told_with_the_rule_that_it_breaks() {
    for (bad, start) in
        [("../x", "\"../x\""), ("", "\"\""), ("con.zip", "\"con.zip\""), ("é\\u202e", "\"\\u{e9}\\u{202e}\"")]
    {
        let rule = match bad {
            "é\\u202e" => "é\u{202e}".parse::<Name>(),
            other => other.parse::<Name>(),
        };
        let rule = rule.unwrap_err();
        let told = format!(": {start} is no artifact name: {rule}");
        assert_eq!(
            problems(format!("[projects.a]\nartifacts = ['x', \"{bad}\"]")),
            [format!("artifacts.toml:2:19{told}")]
        );
        assert_eq!(problems(format!("[projects.a]\nretired = [\"{bad}\"]")), [format!("artifacts.toml:2:12{told}")]);
        assert_eq!(
            problems(format!("[projects.a]\nartifacts = [{{ name = \"{bad}\" }}]")),
            [format!("artifacts.toml:2:23{told}")]
        );
    }
    let told = problems(format!("[projects.a]\nartifacts = ['{}']", "x".repeat(100_000)));
    assert!(told[0].len() < 300, "{told:?}");
}

#[test]
fn a_bad_project_name_is_told_with_the_rule_that_it_breaks() {
    let rule = "a project name has only A-Z a-z 0-9 . _ + / -, this has ','";
    assert_eq!(problems("[projects.'a,b']"), [format!("artifacts.toml:1:11: \"a,b\" is no project name: {rule}")]);
    assert_eq!(
        problems("[projects.a]\n[repository]\nprojects = ['a', 'a,b']"),
        [format!("artifacts.toml:3:18: \"a,b\" is no project name: {rule}")]
    );
}

#[test]
fn a_name_that_stands_twice_is_told_with_the_other_place() {
    let cases = [
        ("['x', 'x']", "['y']", "2:19: \"x\" stands twice: the other is at line 2, column 14, in project \"a\""),
        ("['x']", "['x']", "5:14: \"x\" stands twice: the other is at line 2, column 14, in project \"a\""),
        (
            "['q', { name = 'x' }]",
            "['y', { name = 'x' }]",
            "5:28: \"x\" stands twice: the other is at line 2, column 28, in project \"a\"",
        ),
        (
            "['x.zip']",
            "['X.Zip']",
            "5:14: \"X.Zip\" and \"x.zip\" differ only in case: the other is at line 2, column 14, in project \"a\"",
        ),
        ("['old']", "[]", "3:12: \"old\" stands twice: the other is at line 2, column 14, in project \"a\""),
        (
            "[]",
            "['OLD']",
            "5:14: \"OLD\" and \"old\" differ only in case: the other is at line 3, column 12, in project \"a\", retired",
        ),
    ];
    for (first, second, problem) in cases {
        let text =
            format!("[projects.a]\nartifacts = {first}\nretired = ['old']\n[projects.b]\nartifacts = {second}\n");
        assert_eq!(problems(text), [format!("artifacts.toml:{problem}")]);
    }
}

#[test]
fn each_further_mention_of_a_name_is_told() {
    let text = "[projects.b]\nartifacts = ['x',\n 'x',\n 'X']\n";
    assert_eq!(
        problems(text),
        [
            "artifacts.toml:3:2: \"x\" stands twice: the other is at line 2, column 14, in project \"b\"",
            "artifacts.toml:4:2: \"X\" and \"x\" differ only in case: the other is at line 2, column 14, in project \"b\"",
        ]
    );
}

#[test]
fn of_two_mentions_the_later_in_the_file_is_the_second() {
    let entry = "[[projects.a.artifacts]]\nname = ";
    let text = format!("{entry}'x'\n[projects.b]\nartifacts = ['y']\n{entry}'y'\n");
    assert_eq!(
        problems(text),
        ["artifacts.toml:6:8: \"y\" stands twice: the other is at line 4, column 14, in project \"b\""]
    );
}

#[test]
fn a_file_that_points_defines_no_projects() {
    let told = "a file that points to another registry (line 2, column 12) defines no projects";
    let text = "[repository]\nregistry = 's3://dev/artifacts.toml'\n\n[projects.a]\nartifacts = ['x']\n";
    assert_eq!(problems(text), [format!("artifacts.toml:4:2: {told}")]);
}

#[test]
fn a_repositorys_projects_are_defined_unless_the_file_points() {
    let text = "[repository]\nprojects = ['webapp', 'wepapp', 'zzz']\n[projects.webapp]\n";
    assert_eq!(
        problems(text),
        [
            "artifacts.toml:2:23: no project \"wepapp\" is defined, did you mean \"webapp\"?",
            "artifacts.toml:2:33: no project \"zzz\" is defined",
        ]
    );
    parse("[repository]\nprojects = ['wepapp']\nregistry = 'elsewhere.toml'\n");
}

#[test]
fn everything_that_is_wrong_is_told_in_one_go_and_in_order() {
    let text = "[projects.a]\nartifacts = ['x', 'x', 1, '..']\nretired = ['X']\n[store]\nurl = 3\n[repository]\nprojects = ['b']\n";
    let places: Vec<String> =
        problems(text).iter().map(|line| line.split(": ").next().unwrap().replace("artifacts.toml:", "")).collect();
    assert_eq!(places, ["2:19", "2:24", "2:27", "3:12", "5:7", "7:13"]);
}

#[test]
fn columns_count_characters() {
    let text = "[projects.a]\r\nartifacts = [{ description = 'é😀é', name = '..' }, '..']\r\nretired = ['..']";
    let error = Registry::parse(text.as_bytes(), "x/y.toml").unwrap_err();
    let RegistryError::Malformed(found) = error else { panic!("{error}") };
    let places: Vec<Place> = found.iter().map(|problem| problem.place).collect();
    assert_eq!(places, [Place { line: 2, column: 44 }, Place { line: 2, column: 52 }, Place { line: 3, column: 12 }]);
    assert!(found.iter().all(|problem| problem.file == "x/y.toml"));
    assert!(found[0].to_string().starts_with("x/y.toml:2:44: "));
}

#[test]
fn every_place_is_that_of_a_plain_count() {
    for seed in 0..50 {
        let mut rng = Rng::with_seed(seed);
        let mut text = "[projects.a]\nartifacts = [\n".to_owned();
        for _ in 0..rng.usize(..400) {
            text += ["''", "'.'", "{ name = '-', description = 'éé' }", "'é'"][rng.usize(..4)];
            text += [",", ",\n", ", # é😀\n", ",\r\n   "][rng.usize(..4)];
        }
        text += "]\n";
        let (mut expected, mut place) = (Vec::new(), Place { line: 1, column: 1 });
        for (offset, c) in text.char_indices() {
            let rest = &text[offset..];
            if ["'',", "'.',", "'-',", "'é',"].iter().any(|bad| rest.starts_with(bad)) {
                expected.push(place);
            }
            let Place { line, column } = place;
            place = if c == '\n' { Place { line: line + 1, column: 1 } } else { Place { line, column: column + 1 } };
        }
        let found: Vec<Place> = match Registry::parse(text.as_bytes(), "x") {
            Err(RegistryError::Malformed(found)) => found.iter().map(|problem| problem.place).collect(),
            _ => Vec::new(),
        };
        assert_eq!(found, expected, "seed {seed}");
    }
}

#[test]
fn the_first_error_of_syntax_is_told_with_its_place() {
    for (text, start) in [
        ("[projects.a\n", "1:12: "),
        ("x = ", "1:5: "),
        ("[store]\nurl = 's3\n", "2:10: invalid literal string, expected `'`"),
        ("[projects.a]\nartifacts = ['x' 'y']\n", "2:18: "),
        ("[store]\n[store]\n", "2:2: "),
        ("é = 1", "1:1: "),
    ] {
        let told = problems(text);
        assert!(told.len() == 1 && told[0].starts_with(&format!("artifacts.toml:{start}")), "{told:?}");
    }
}

#[test]
fn what_is_not_utf_8_is_told_with_its_place() {
    assert_eq!(problems(b"[store]\n# \xc3\xa9 \xff\n"), ["artifacts.toml:2:5: this is not UTF-8"]);
    assert_eq!(problems(b"\xff\xfe["), ["artifacts.toml:1:1: this is not UTF-8"]);
}

#[test]
fn a_file_over_one_mebibyte_is_refused() {
    let limit = usize::try_from(LARGEST).unwrap();
    assert_eq!(limit, 1_048_576);
    let text = format!("{EXAMPLE}{}", "\n".repeat(limit - EXAMPLE.len()));
    parse(&text);
    let error = Registry::parse(format!("{text}\n").as_bytes(), "artifacts.toml").unwrap_err();
    assert!(matches!(error, RegistryError::TooLarge { size, .. } if size == LARGEST + 1));
    assert_eq!(error.to_string(), "artifacts.toml has 1048577 bytes, a registry has at most 1048576");
}

#[test]
fn an_unknown_key_is_a_warning_wherever_it_stands() {
    let text = r#"revision = 2
[repository]
kind = "app"
[store]
region = "eu"
[projects.a]
owner.name = "x"
artifacts = ["x", { name = "y", output = [1], limits.x = 3 }]
[tool]
x = { y = 1 }
[versions]
shelf = "high"
"#;
    assert_eq!(
        warnings(text),
        [
            "artifacts.toml:1:1: unknown key \"revision\"",
            "artifacts.toml:3:1: unknown key \"kind\" in [repository]",
            "artifacts.toml:5:1: unknown key \"region\" in [store]",
            "artifacts.toml:7:1: unknown key \"owner\" in project \"a\"",
            "artifacts.toml:8:33: unknown key \"output\" of an artifact",
            "artifacts.toml:8:47: unknown key \"limits\" of an artifact",
            "artifacts.toml:9:2: unknown key \"tool\"",
            "artifacts.toml:12:1: unknown key \"shelf\" in [versions]",
        ]
    );
    assert_eq!(texts(parse(text).all_names()), ["x", "y"]);
}

#[test]
fn a_name_has_one_owner() {
    let registry = parse(EXAMPLE);
    let owner = |text: &str| registry.owner(&name(text)).map(|owner| (owner.project.to_string(), owner.retired));
    assert_eq!(owner("cwwebapp.zip"), Some(("webapp".to_owned(), false)));
    assert_eq!(owner("cef.zip"), Some(("webapp".to_owned(), false)));
    assert_eq!(owner("old.zip"), Some(("webapp".to_owned(), true)));
    assert_eq!(owner("audio.so"), Some(("libs/audio".to_owned(), false)));
    assert_eq!(owner("CEF.zip"), None);
    assert_eq!(owner("new.zip"), None);
}

#[test]
fn the_names_are_those_of_the_projects_asked_for() {
    let registry = parse(EXAMPLE);
    let names = |projects: &[ProjectName]| texts(registry.names(projects).unwrap());
    assert_eq!(names(&[]), ["audio.so", "cef.zip", "cwwebapp.zip", "zlib.tar.gz"]);
    assert_eq!(names(&[project("webapp")]), ["cef.zip", "cwwebapp.zip"]);
    assert_eq!(names(&[project("libs/audio"), project("libs/audio")]), ["audio.so", "zlib.tar.gz"]);
    assert_eq!(names(&[project("libs/audio"), project("webapp")]), names(&[]));
    assert_eq!(texts(registry.all_names()), names(&[]));
    assert_eq!(texts(registry.retired_names()), ["old.zip"]);
}

#[test]
fn a_project_that_is_asked_for_and_not_defined_is_told_with_the_nearest() {
    let registry = parse(EXAMPLE);
    let asked = |text: &str| match registry.names(&[project("webapp"), project(text)]) {
        Err(error @ RegistryError::UnknownProject { .. }) => {
            assert_eq!(error.to_string(), format!("the registry has no project {text}"));
            let RegistryError::UnknownProject { project: asked, near } = error else {
                unreachable!("it was matched above")
            };
            assert_eq!(asked, project(text));
            near.map(|near| near.to_string())
        }
        other => panic!("{other:?}"),
    };
    assert_eq!(asked("WebApp").as_deref(), Some("webapp"));
    assert_eq!(asked("lib/audio").as_deref(), Some("libs/audio"));
    assert_eq!(asked("payments"), None);
}

#[test]
fn a_slip_of_the_pen_is_near_its_name_and_nonsense_is_near_none() {
    let registry = parse(EXAMPLE);
    let near = |text: &str| registry.near(text).map(ToString::to_string);
    for slip in ["cef.zip", "CEF.ZIP", "cfe.zip", "cef.zp", "cef-.zip", "ce.zip", "cef,zip", "cév.zip"] {
        assert_eq!(near(slip).as_deref(), Some("cef.zip"), "{slip}");
    }
    for slip in ["zlib.tgz", "zlib-tar.gz", "zllib.tar.gz"] {
        assert_eq!(near(slip).as_deref(), Some("zlib.tar.gz"), "{slip}");
    }
    for nonsense in ["", "x", "old.zip", "payments-api.jar", "zip", "\u{202e}", &"cef.zip".repeat(1000)] {
        assert_eq!(near(nonsense), None, "{nonsense}");
    }
}

#[test]
fn a_name_that_differs_only_in_case_is_nearer_than_any_other() {
    let registry = parse("[projects.a]\nartifacts = ['AAAB', 'aaac', 'AAAA']");
    assert_eq!(registry.near("aaaa"), Some(&name("AAAA")));
    assert_eq!(registry.near("aaax"), Some(&name("AAAB")), "the first of several that are as near");
    let short = parse("[projects.a]\nartifacts = ['a']");
    assert_eq!(short.near("A"), Some(&name("a")));
    assert_eq!(short.near("b"), None);
}

#[test]
fn a_project_name_has_1_to_100_characters_and_no_comma() {
    for text in ["a", "9", "libs/audio", "a.b_c+d-e/", &"x".repeat(100)] {
        assert_eq!(project(text).to_string(), text);
        assert_eq!(project(text).as_str(), text);
    }
    let refused = |text: &str| text.parse::<ProjectName>().unwrap_err();
    assert_eq!(refused(""), ProjectNameError::Empty);
    assert_eq!(refused(&"x".repeat(101)), ProjectNameError::Long(101));
    for c in ['.', '_', '+', '-', '/'] {
        assert_eq!(refused(&format!("{c}a")), ProjectNameError::Start(c));
    }
    for c in (0..128_u8).map(char::from).chain(['é', '\u{202e}']) {
        let allowed = c.is_ascii_alphanumeric() || "._+-/".contains(c);
        match format!("a{c}").parse::<ProjectName>() {
            Ok(_) => assert!(allowed, "{c:?}"),
            Err(error) => assert!(!allowed && error == ProjectNameError::Character(c), "{c:?}"),
        }
    }
    assert!(refused("a\u{202e}").to_string().is_ascii());
}

#[test]
fn a_truncated_file_is_read_or_refused() {
    for end in 0..=EXAMPLE.len() {
        problems(&EXAMPLE.as_bytes()[..end]);
    }
}

#[test]
fn no_bytes_make_the_reader_panic() {
    let words = [
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\"",
        "'",
        "'''",
        "\"\"\"",
        "\n",
        "\r",
        "#",
        " ",
        "\\",
        "\\u202e",
        "projects",
        "repository",
        "artifacts",
        "retired",
        "name",
        "store",
        "registry",
        "a",
        "1",
        "-0",
        "1e5",
        "2026-01-01",
        "true",
        "é",
        "\u{202e}",
        "\0",
        "\u{feff}",
    ];
    for seed in 0..20_000 {
        let mut rng = Rng::with_seed(seed);
        let mut bytes = if rng.bool() {
            let count = rng.usize(..60);
            (0..count).map(|_| words[rng.usize(..words.len())]).collect::<String>().into_bytes()
        } else {
            EXAMPLE.as_bytes().to_vec()
        };
        for _ in 0..rng.usize(..6) {
            let at = rng.usize(..=bytes.len());
            match rng.u8(..4) {
                0 => bytes.insert(at, rng.u8(..)),
                1 => drop(bytes.splice(at..at, words[rng.usize(..words.len())].bytes())),
                2 => bytes.truncate(at),
                _ => drop(bytes.drain(at.saturating_sub(5)..at)),
            }
        }
        problems(bytes);
    }
}

#[test]
fn no_nesting_is_too_deep_to_be_refused_or_warned_of() {
    let limit = usize::try_from(LARGEST).unwrap() - 100;
    for (start, open) in [
        ("x = ", "["),
        ("x = ", "{ a = "),
        ("x = ", "[{ a = "),
        ("", "a."),
        ("[", "a."),
        ("[[", "a."),
        ("[projects.", "a."),
        ("", "[[a]]\n"),
        ("", "["),
        ("x = ", "'''"),
    ] {
        problems(format!("{start}{}", open.repeat(limit / open.len())));
    }
    let key = ["a"; 79].join(".");
    let text = format!("[{key}]\n{}{key} = 1{}\n", format!("{key} = {{ ").repeat(79), " }".repeat(79));
    assert_eq!(warnings(&text), ["artifacts.toml:1:2: unknown key \"a\""]);
}

#[test]
fn the_places_of_very_many_problems_are_found_in_no_long_time() {
    let limit = usize::try_from(LARGEST).unwrap() / 4;
    let open = "[projects.a]\nartifacts = [";
    let bad = "'',".repeat((limit - 100) / 3);
    assert_eq!(problems(format!("{open}{bad}]")).len(), (limit - 100) / 3);
    let twice = "'a',".repeat((limit - 100) / 4);
    assert_eq!(problems(format!("{open}{twice}]")).len(), (limit - 100) / 4 - 1);
    let names: String = (0..limit / 12).map(|number| format!("'n{number:07}',")).collect();
    assert_eq!(parse(&format!("{open}{}]", &names[..names.len() - 100 * 11])).all_names().len(), limit / 12 - 100);
}

#[test]
fn an_artifact_may_declare_its_inputs_and_its_policy() {
    let text = r#"[projects.a]
artifacts = [
    "plain",
    { name = "web", inputs = ["web/", "libs/common/", ":!**/*.md"], policy = "fresh" },
    { name = "lib", description = "the library", policy = "exact" },
]
retired = ["old"]
"#;
    let catalog = Catalog::new(parse(text), &[], &[]).unwrap();
    let inputs = catalog.inputs(&name("web")).unwrap();
    assert_eq!(inputs.specs(), ["web/", "libs/common/", ":!**/*.md"]);
    assert!(inputs.is_match(b"web/index.html") && !inputs.is_match(b"web/README.md"));
    assert_eq!(catalog.policy(&name("web")), Some(Policy::Fresh));
    assert_eq!((catalog.inputs(&name("lib")), catalog.policy(&name("lib"))), (None, Some(Policy::Exact)));
    for other in ["plain", "old", "unheard-of"] {
        assert_eq!((catalog.inputs(&name(other)), catalog.policy(&name(other))), (None, None), "{other}");
    }
    assert_eq!(catalog.registry().entry(&name("plain")), Some(&Entry::named(name("plain"))));
    assert_eq!(catalog.registry().entry(&name("old")), None);
    // The same, as an array of tables.
    let tables = r#"[[projects.a.artifacts]]
name = "web"
inputs = [
    "web/", # ours
    "libs/common/",
    ":!**/*.md",
]
policy = "fresh"
"#;
    assert_eq!(parse(tables).entry(&name("web")), catalog.registry().entry(&name("web")));
}

#[test]
fn what_is_wrong_with_inputs_and_policies_is_told_where_it_stands() {
    let text = r#"[projects.a]
artifacts = [
    { name = "a", inputs = "web/", policy = "newest" },
    { name = "b", inputs = ["web/", 1], policy = 2 },
    { name = "c", inputs = [], policy = "Fresh" },
    { name = "d", inputs = ["ok", "/abs", "../x", ":(attr:x)y", ""] },
    { name = "e", inputs = [{ path = "x" }] },
]
"#;
    assert_eq!(
        problems(text),
        [
            r#"artifacts.toml:3:28: an array of pathspecs belongs here, this is a string"#,
            r#"artifacts.toml:3:45: "newest" is no policy: a policy is "nearest", "fresh" or "exact""#,
            r#"artifacts.toml:4:37: a pathspec in quotes belongs here, this is an integer"#,
            r#"artifacts.toml:4:50: a policy in quotes belongs here, this is an integer"#,
            r#"artifacts.toml:5:28: inputs are declared by at least one pathspec"#,
            r#"artifacts.toml:5:41: "Fresh" is no policy: a policy is "nearest", "fresh" or "exact""#,
            r#"artifacts.toml:6:35: "/abs" declares no inputs: inputs are relative to the top of the repository: leave the '/' out with which this path begins"#,
            r#"artifacts.toml:6:43: "../x" declares no inputs: this path leads out of the repository"#,
            r#"artifacts.toml:6:51: ":(attr:x)y" declares no inputs: ':(attr:...)' is not understood: inputs are told by paths alone"#,
            r#"artifacts.toml:6:65: "" declares no inputs: a pathspec is not empty; all there is, is ".""#,
            r#"artifacts.toml:7:29: a pathspec in quotes belongs here, this is a table"#,
        ]
    );
}
