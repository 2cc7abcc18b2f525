//! What a person sees: answer, log and exit code of each command together.

use std::fmt::Write as _;

use insta::assert_snapshot;
use serde_json::Value;

use crate::sandbox::Sandbox;

/// Runs commands in one repository, one after another, and shows them all.
fn told(sandbox: &Sandbox, commands: &[&[&str]]) -> String {
    commands.iter().fold(String::new(), |mut shown, command| {
        writeln!(shown, "{}", sandbox.run(command)).unwrap();
        shown
    })
}

/// A repository with three commits: `app.zip` was built at the first, `docs.tar.gz` at the second, nothing at the third.
fn built() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    sandbox.write("out/app.zip", "the app");
    sandbox.write("out/docs.tar.gz", "the docs");
    sandbox.done(&["publish", "../out/app.zip"]);
    sandbox.commit("second");
    sandbox.done(&["publish", "../out/docs.tar.gz"]);
    sandbox.commit("third");
    sandbox
}

#[test]
fn help_of_every_command() {
    let sandbox = Sandbox::with_repository();
    let mut shown = String::new();
    let mut commands = vec![vec![]];
    for verb in metalogic::cli::command().get_subcommands() {
        commands.push(vec![verb.get_name().to_owned()]);
        commands.extend(verb.get_subcommands().map(|sub| vec![verb.get_name().to_owned(), sub.get_name().to_owned()]));
    }
    for mut command in commands {
        command.push("--help".to_owned());
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        writeln!(shown, "{}", sandbox.run(&arguments)).unwrap();
    }
    assert_snapshot!(shown);
}

#[test]
fn the_first_quarter_of_an_hour() {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    let mut shown = told(&sandbox, &[&["init", "--store", "../store"], &["init"], &["registry", "check"]]);
    shown.push_str(&sandbox.read("repo/artifacts.toml"));
    let registry =
        sandbox.read("repo/artifacts.toml").replace("# \"app.zip\"", "\"app.zip\"").replace("# { name", "{ name");
    sandbox.write("repo/artifacts.toml", registry);
    sandbox.commit("first");
    sandbox.write("app.zip", "the app");
    sandbox.write("docs.tar.gz", "the docs");
    let first: &[&[&str]] =
        &[&["stub"], &["stub", "HEAD"], &["publish", "../app.zip"], &["publish", "../app.zip"], &["show"]];
    shown.push_str(&told(&sandbox, first));
    sandbox.commit("second");
    let second: &[&[&str]] = &[&["publish", "--require-complete", "../docs.tar.gz"], &["registry", "list"]];
    shown.push_str(&told(&sandbox, second));
    sandbox.commit("third");
    let third: &[&[&str]] = &[
        &["show"],
        &["stub"],
        &["resolve"],
        &["fetch", "-o", "../got"],
        &["fetch", "-o", "../got"],
        &["fetch", "app.zip", "--as", "../got/other.zip"],
        &["fetch", "app.zip", "--as", "-"],
    ];
    shown.push_str(&told(&sandbox, third));
    assert_snapshot!(shown);
    assert_eq!(sandbox.read("got/app.zip") + &sandbox.read("got/docs.tar.gz"), "the appthe docs");
    assert_eq!(sandbox.tree("got"), ["app.zip", "docs.tar.gz", "other.zip"]);
}

#[test]
fn what_is_refused_and_what_each_refusal_is_called() {
    let sandbox = built();
    sandbox.write("out/pub.zip", "unregistered");
    sandbox.write("out/ap.zip", "a slip of the pen");
    sandbox.write("out/bad name.zip", "a bad name");
    sandbox.write("out/other/app.zip", "another app");
    let refused: &[&[&str]] = &[
        &["publish", "../out/pub.zip"],
        &["publish", "../out/ap.zip"],
        &["publish", "../out/bad name.zip"],
        &["publish", "old.zip=../out/app.zip"],
        &["publish", "../out/app.zip", "app.zip=../out/other/app.zip"],
        &["publish", "app.zip=../out"],
        &["publish", "app.zip=../nowhere.zip"],
        &["publish", "../out/ap.zip", "app.zip=../nowhere.zip"],
        &["publish", "--commit", "HEAD~2", "../out/other/app.zip"],
        &["publish", "--commit", "HEAD~2", "--if-exists", "keep", "../out/other/app.zip"],
        &["publish", "--commit", "HEAD~2", "--require-complete"],
        &["publish", "--project", "nobody", "../out/app.zip"],
        &["publish", "--commit", "0123456789012345678901234567890123456789", "../out/app.zip"],
        &["fetch", "nothing.zip"],
        &["fetch", "--as", "../x"],
        &["fetch", "../escape"],
        &["show", "nonsense"],
        &["show", "--upload-pack=x"],
        &["show", "--jobs", "0"],
        &["show", "--part-size", "4MiB"],
        &["show", "--parts", "none"],
        &["frobnicate"],
        &["--store", "ftp://x/y", "show"],
        &["--registry", "nowhere.toml", "resolve"],
        &["-C", "nowhere", "show"],
    ];
    assert_snapshot!(told(&sandbox, refused));
}

#[test]
fn outside_a_repository_a_store_and_full_ids_are_all_that_is_needed() {
    let sandbox = built();
    let id = sandbox.git("repo", &["rev-parse", "HEAD~1"]).trim().to_owned();
    sandbox.write("elsewhere/x", "");
    let store = sandbox.path("repo/.git/metalogic").to_str().unwrap().to_owned();
    let mut shown = String::new();
    for arguments in [
        &["show", &id][..],
        &["--store", &store, "show"],
        &["--store", &store, "show", &id],
        &["--store", &store, "fetch", "--commit", &id, "app.zip", "--as", "-"],
        &["--store", &store, "show", "--fresh", &id],
        &["--store", &store, "stub", "0123456789012345678901234567890123456789"],
    ] {
        writeln!(shown, "{}", sandbox.run_in("elsewhere", arguments)).unwrap();
    }
    assert_snapshot!(shown);
}

#[test]
fn json_is_one_object_on_the_right_stream() {
    let sandbox = built();
    sandbox.write("out/extra.bin", "x");
    for arguments in [
        &["show"][..],
        &["show", "HEAD~1"],
        &["stub"],
        &["resolve"],
        &["publish", "../out/docs.tar.gz", "../out/app.zip"],
        &["publish", "--dry-run"],
        &["fetch", "-o", "../json"],
        &["registry", "check"],
        &["registry", "list"],
        &["completions", "bash"],
        &["init", "--dry-run"],
    ] {
        let ran = sandbox.run(&[&["--json"], arguments].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{ran}");
        assert!(serde_json::from_str::<Value>(&ran.stdout).unwrap().is_object(), "{ran}");
    }
    for arguments in [
        &["publish", "../out/extra.bin"][..],
        &["publish", "../out/extra.bin", "app.zip=../out"],
        &["show", "nonsense"],
        &["fetch", "none.zip"],
        &["frobnicate"],
        &["init"],
    ] {
        let ran = sandbox.run(&[&["--json"], arguments].concat());
        let error: Value = serde_json::from_str(&ran.stderr).unwrap_or_else(|_| panic!("{ran}"));
        assert_eq!(
            (ran.stdout.as_str(), error["error"]["code"].as_i64().and_then(|code| i32::try_from(code).ok())),
            ("", ran.code)
        );
        for key in ["kind", "message", "hint", "causes"] {
            assert!(error["error"].get(key).is_some(), "{ran}");
        }
    }
}

#[test]
fn the_object_that_publish_answers() {
    let sandbox = built();
    let mut shown = sandbox.run(&["--json", "publish", "../out/docs.tar.gz", "../out/app.zip"]).to_string();
    sandbox.write("repo/artifacts.toml", sandbox.read("repo/artifacts.toml") + "# changed\n");
    shown += &sandbox.run(&["--json", "publish", "../out/docs.tar.gz", "../out/app.zip"]).to_string();
    shown += &sandbox.run(&["--json", "publish", "--commit", "HEAD~1"]).to_string();
    assert_snapshot!(shown);
}

#[test]
fn a_dry_run_says_what_would_be_and_writes_nothing() {
    let sandbox = built();
    let before = sandbox.tree(".");
    let shown = told(
        &sandbox,
        &[
            &["publish", "--dry-run", "../out/app.zip"],
            &["resolve", "--dry-run"],
            &["stub", "--dry-run"],
            &["fetch", "--dry-run", "-o", "../got"],
        ],
    );
    assert_eq!(sandbox.tree("."), before);
    assert_snapshot!(shown);
}

#[test]
fn a_metafile_is_shown_byte_for_byte_and_a_malformed_one_is_refused() {
    let sandbox = built();
    let id = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    let path = format!("repo/.git/metalogic/builds/{id}/build_meta.json");
    let odd = format!("{{ \"artifacts\":{{}}, \"later\": 1,\n\"commit\":\"{id}\",\"parent_commit\":null }}");
    sandbox.write(&path, &odd);
    assert_eq!(sandbox.run(&["show"]).stdout, odd);
    sandbox.write(&path, odd.replace("null", "\"../../x\""));
    let malformed: &[&[&str]] = &[&["show"], &["fetch", "-o", "../got"], &["show", "--fresh"], &["resolve"], &["show"]];
    assert_snapshot!(told(&sandbox, malformed));
}

#[test]
fn bytes_that_are_not_what_was_recorded_never_get_the_targets_name() {
    let sandbox = built();
    let id = sandbox.git("repo", &["rev-parse", "HEAD~2"]).trim().to_owned();
    let artifact = sandbox.path(&format!("repo/.git/metalogic/builds/{id}/app.zip"));
    std::fs::remove_file(&artifact).unwrap();
    std::fs::write(&artifact, "the ape").unwrap();
    sandbox.write("got/app.zip", "what was there");
    let shown = told(&sandbox, &[&["fetch", "app.zip", "-o", "../got"], &["fetch", "app.zip", "--as", "-"]]);
    assert_eq!(sandbox.read("got/app.zip"), "what was there");
    assert_eq!(sandbox.tree("got"), ["app.zip"]);
    std::fs::remove_file(&artifact).unwrap();
    assert_snapshot!(shown + &told(&sandbox, &[&["fetch", "app.zip", "-o", "../got"]]));
}

#[test]
fn an_object_of_an_unknown_name_fails_the_build_after_the_known_were_resolved() {
    let sandbox = built();
    let id = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    sandbox.write(&format!("repo/.git/metalogic/builds/{id}/who.zip"), "by hand");
    sandbox.write(&format!("repo/.git/metalogic/builds/{id}/app.zip"), "by hand");
    assert_snapshot!(told(&sandbox, &[&["publish"], &["show"]]));
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_in_the_output_directory_is_replaced_and_never_followed() {
    let sandbox = built();
    sandbox.write("secret", "untouched");
    std::fs::create_dir(sandbox.path("got")).unwrap();
    std::os::unix::fs::symlink(sandbox.path("secret"), sandbox.path("got/app.zip")).unwrap();
    std::fs::create_dir(sandbox.path("got/docs.tar.gz")).unwrap();
    assert_eq!(sandbox.run(&["fetch", "app.zip", "-o", "../got"]).code, Some(0));
    assert_eq!((sandbox.read("secret"), sandbox.read("got/app.zip")), ("untouched".to_owned(), "the app".to_owned()));
    assert_eq!(sandbox.run(&["fetch", "docs.tar.gz", "-o", "../got"]).code, Some(7));
    assert_eq!(sandbox.run(&["fetch", "app.zip", "--as", "/dev/null"]).code, Some(7));
}

#[cfg(unix)]
#[test]
fn an_executable_comes_back_as_one_and_nothing_ever_comes_back_setuid() {
    use std::os::unix::fs::PermissionsExt as _;
    let sandbox = Sandbox::with_repository();
    sandbox.write("app.zip", "#!/bin/sh\n");
    std::fs::set_permissions(sandbox.path("app.zip"), std::fs::Permissions::from_mode(0o4755)).unwrap();
    sandbox.write("docs.tar.gz", "no program");
    sandbox.done(&["publish", "../app.zip", "../docs.tar.gz"]);
    assert!(sandbox.done(&["show"]).contains("\"mode\": \"755\""));
    sandbox.done(&["fetch", "-o", "../got"]);
    let mode = |path: &str| std::fs::metadata(sandbox.path(path)).unwrap().permissions().mode() & 0o7111;
    assert_eq!((mode("got/app.zip"), mode("got/docs.tar.gz")), (0o111, 0));
    assert_ne!(std::fs::metadata(sandbox.path("got/docs.tar.gz")).unwrap().permissions().mode() & 0o200, 0);
}

#[test]
fn flag_environment_git_config_and_file_count_in_this_order() {
    let sandbox = Sandbox::with_repository();
    let store =
        |ran: &str| serde_json::from_str::<Value>(ran).unwrap()["store"].as_str().unwrap().replace("file://[DIR]/", "");
    let asked = |variable: Option<&str>, flag: Option<&str>| {
        let flags: Vec<&str> =
            flag.map_or(vec!["--json", "stub", "-n"], |flag| vec!["--json", "--store", flag, "stub", "-n"]);
        std::fs::create_dir_all(sandbox.path("repo/sub")).unwrap();
        let mut command = sandbox.command("repo/sub", &flags);
        let output = command.envs(variable.map(|value| ("METALOGIC_STORE", value))).output().unwrap();
        store(&sandbox.ran("stub", &output).stdout)
    };
    assert_eq!(asked(None, None), "repo/.git/metalogic");
    sandbox.write("repo/artifacts.toml", sandbox.read("repo/artifacts.toml") + "[store]\nurl = \"from-file\"\n");
    assert_eq!(asked(None, None), "repo/from-file");
    sandbox.git("repo", &["config", "metalogic.store", "from-git"]);
    assert_eq!(asked(None, None), "repo/from-git");
    assert_eq!(asked(Some("from-variable"), None), "repo/sub/from-variable");
    assert_eq!(asked(Some(""), None), "repo/from-git");
    assert_eq!(asked(Some("from-variable"), Some("from-flag")), "repo/sub/from-flag");
}

#[test]
fn the_registry_of_the_commit_in_question_counts() {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "repo"]);
    sandbox.commit("before the registry");
    sandbox.write("repo/artifacts.toml", "[projects.app]\nartifacts = [\"one.zip\"]\n");
    sandbox.commit("one");
    sandbox.write("repo/artifacts.toml", "[projects.app]\nartifacts = [\"two.zip\"]\n");
    sandbox.commit("two");
    sandbox.write("repo/artifacts.toml", "[projects.app]\nartifacts = [\"three.zip\"]\n");
    for file in ["one.zip", "two.zip", "three.zip"] {
        sandbox.write(file, file);
    }
    let code = |file: &str, commit: &str| sandbox.run(&["publish", file, "--commit", commit]).code;
    assert_eq!((code("../one.zip", "HEAD~1"), code("../two.zip", "HEAD~1")), (Some(0), Some(6)));
    assert_eq!((code("../two.zip", "HEAD"), code("../three.zip", "HEAD")), (Some(6), Some(0)));
    assert_eq!((code("../one.zip", "HEAD~2"), code("../three.zip", "HEAD~2")), (Some(6), Some(0)));
}

#[test]
fn a_registry_that_points_takes_the_names_from_there_and_the_projects_from_here() {
    let sandbox = Sandbox::with_repository();
    let shared = "[projects.app]\nartifacts = [\"app.zip\"]\n[projects.other]\nartifacts = [\"other.zip\"]\n";
    sandbox.write("shared/artifacts.toml", shared);
    sandbox
        .write("repo/artifacts.toml", "[repository]\nprojects = [\"app\"]\nregistry = \"../shared/artifacts.toml\"\n");
    sandbox.commit("points");
    sandbox.write("app.zip", "app");
    sandbox.write("other.zip", "other");
    assert_snapshot!(told(
        &sandbox,
        &[
            &["publish", "../app.zip", "--require-complete"],
            &["publish", "../other.zip"],
            &["publish", "../app.zip", "--project", "other"],
            &["publish", "other.zip=../other.zip", "--registry", "../shared/artifacts.toml", "--project", "app"],
            &["registry", "list"],
        ]
    ));
    // A limit leaves out what is published, and never what is written.
    sandbox.write("shared/both.toml", shared.replace("[projects.other]", "retired = [\"old.zip\"]\n[projects.other]"));
    sandbox.write("repo/artifacts.toml", "[repository]\nregistry = \"../shared/both.toml\"\n");
    let ran = sandbox.run(&["publish", "../app.zip", "--project", "other"]);
    assert!(
        ran.code == Some(6) && ran.stderr.contains("belongs to the project app, which --project leaves out"),
        "{ran}"
    );
    let ran = sandbox.run(&["--json", "publish", "../other.zip", "--project", "other", "--require-complete"]);
    let object: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(object["metafile"]["artifacts"].as_object().unwrap().len(), 2, "{ran}");
    // Where the repository has no file at all, the store's own counts.
    std::fs::remove_file(sandbox.path("repo/artifacts.toml")).unwrap();
    sandbox.commit("no file");
    assert_eq!(sandbox.run(&["resolve"]).code, Some(12));
    sandbox.write("repo/.git/metalogic/artifacts.toml", shared);
    assert_eq!(sandbox.run(&["resolve"]).code, Some(0));
}

#[test]
fn a_registry_is_added_to_and_pushed_and_what_is_refused_is_told() {
    let sandbox = Sandbox::with_repository();
    let registry = "# Ours.\n[repository]\nprojects = [\"app\"]\n\n[store]\nurl = \"../store\"\n\n[projects.app]\nartifacts = [\n    \"app.zip\", # the app\n]\nretired = [\"old.zip\"]\n\n[projects.tools]\nartifacts = [\"tool.zip\"]\n";
    sandbox.write("repo/artifacts.toml", registry);
    std::fs::create_dir(sandbox.path("store")).unwrap();
    let mut shown = told(
        &sandbox,
        &[
            &["registry", "add", "--dry-run", "docs.tar.gz", "--description", "the manual"],
            &["registry", "add", "docs.tar.gz", "old.zip", "app.zip"],
            &["registry", "add", "docs.tar.gz", "--project", "tools"],
            &["registry", "add", "App.zip"],
            &["registry", "add", "x.zip", "--project", "tool"],
            &["registry", "add", "x.zip", "--project", "libs"],
            &["registry", "add", "x.zip", "--project", "app", "--project", "tools"],
            &["registry", "add", "out/x.zip"],
            &["registry", "add", "x.zip", "y.zip", "--description", "both"],
        ],
    );
    shown.push_str(&sandbox.read("repo/artifacts.toml"));
    sandbox.write("old.toml", registry);
    sandbox.write("odd.toml", "[projects.app]\nartefacts = []\n");
    sandbox.write("pointer.toml", "[repository]\nregistry = \"s3://dev/artifacts.toml\"\n");
    shown.push_str(&told(
        &sandbox,
        &[
            &["registry", "push", "--dry-run"],
            &["registry", "push"],
            &["registry", "push"],
            &["registry", "push", "../old.toml"],
            &["registry", "push", "../old.toml", "--expect", "none"],
            &["registry", "push", "../odd.toml"],
            &["registry", "push", "../pointer.toml"],
            &["registry", "push", "../nowhere.toml"],
            &["--registry", "../store/..", "registry", "push"],
            &["registry", "push", "--json"],
            &["--registry", "../store/artifacts.toml", "registry", "add", "x.zip", "--project", "tools"],
            &["--registry", "s3://dev/", "registry", "list"],
            &["--registry", "s3://dev", "registry", "add", "x.zip"],
        ],
    ));
    assert_snapshot!(shown);
    assert_eq!(
        sandbox.tree("repo").iter().filter(|name| !name.starts_with(".git")).collect::<Vec<_>>(),
        ["artifacts.toml"]
    );
}

#[test]
fn many_processes_that_add_to_one_file_lose_nothing() {
    let sandbox = Sandbox::with_repository();
    let spawn = |n: usize| {
        let name = format!("n{n}.zip");
        let mut command = sandbox.command("repo", &["registry", "add", &name]);
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::piped()).spawn().unwrap()
    };
    for child in (0..8).map(spawn).collect::<Vec<_>>() {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let listed = sandbox.done(&["registry", "list"]);
    assert_eq!(listed.lines().filter(|line| line.starts_with('n')).count(), 8, "{listed}");
}

#[test]
fn an_unknown_key_of_the_registry_is_a_warning_and_an_error_of_check() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/artifacts.toml", sandbox.read("repo/artifacts.toml") + "[versions]\nparameter = \"/x\"\n");
    sandbox.commit("newer");
    assert_snapshot!(told(&sandbox, &[&["publish"], &["registry", "check"], &["stub"]]));
}

#[test]
fn a_ci_machine_without_a_store_is_warned_loudly() {
    let sandbox = Sandbox::with_repository();
    let warned = |variables: &[(&str, &str)]| {
        let mut command = sandbox.command("repo", &["--quiet", "stub"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        sandbox.ran("stub", &output).stderr.contains("warning: no store is configured")
    };
    assert!(warned(&[("CI", "true")]));
    assert!(!warned(&[]));
    assert!(!warned(&[("CI", "true"), ("METALOGIC_STORE", "../store")]));
}

#[test]
fn a_reader_that_hangs_up_is_no_error() {
    let sandbox = built();
    for arguments in [&["show"][..], &["--help"], &["completions", "zsh"]] {
        let mut command = sandbox.command("repo", arguments);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = command.stdout(writer).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", sandbox.ran("hung up", &output));
    }
}
