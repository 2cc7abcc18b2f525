//! What once went wrong, or would have: each law here began as a fault that somebody met by using the program.

use serde_json::Value;

use crate::sandbox::Sandbox;

/// A repository with two commits, `app.zip` built at the first, and the address of HEAD.
fn built() -> (Sandbox, String) {
    let sandbox = Sandbox::with_repository();
    sandbox.write("app.zip", "the app");
    sandbox.write("docs.tar.gz", "the docs");
    sandbox.done(&["publish", "../app.zip"]);
    let head = sandbox.commit("second");
    (sandbox, format!("repo/.git/metalogic/builds/{head}"))
}

fn artifacts(metafile: &str) -> Vec<String> {
    let metafile: Value = serde_json::from_str(metafile).unwrap();
    metafile["artifacts"].as_object().unwrap().keys().cloned().collect()
}

#[cfg(unix)]
#[test]
fn a_reader_that_hangs_up_hides_no_failure() {
    let (sandbox, address) = built();
    sandbox.write(&format!("{address}/unknown.bin"), "x");
    sandbox.write("other/app.zip", "another app");
    for (arguments, code) in [
        (&["publish", "../other/app.zip", "--commit", "HEAD~1"][..], 7),
        (&["publish", "--commit", "HEAD~1", "--require-complete"], 3),
        (&["resolve"], 6),
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = sandbox.command("repo", arguments).stdout(writer).output().unwrap();
        let ran = sandbox.ran("hung up", &output);
        assert_eq!(ran.code, Some(code), "{ran}");
        assert!(ran.stderr.contains("error: "), "{ran}");
    }
}

#[cfg(unix)]
#[test]
fn what_is_no_file_never_passes_for_an_artifact_or_a_metafile() {
    let (sandbox, address) = built();
    std::fs::create_dir_all(sandbox.path(&address)).unwrap();
    std::os::unix::fs::symlink("/nonexistent", sandbox.path(&format!("{address}/app.zip"))).unwrap();
    let ran = sandbox.run(&["resolve"]);
    assert_eq!(ran.code, Some(6), "{ran}");
    assert!(ran.stderr.contains("app.zip@"), "{ran}");
    // The parent's good one is not hidden.
    let first = sandbox.git("repo", &["rev-parse", "HEAD~1"]).trim().to_owned();
    assert!(ran.stdout.contains(&format!("\"app.zip\": \"{first}\"")), "{ran}");
    let taken = sandbox.run(&["publish", "../app.zip"]);
    assert!(taken.code != Some(0) && taken.stderr.contains("not a regular file"), "{taken}");

    std::fs::remove_dir_all(sandbox.path(&address)).unwrap();
    std::fs::create_dir_all(sandbox.path(&format!("{address}/build_meta.json"))).unwrap();
    for arguments in [&["resolve"][..], &["stub"]] {
        let began = std::time::Instant::now();
        let ran = sandbox.run(arguments);
        assert!(ran.code == Some(12) && ran.stderr.contains("not a regular file"), "{ran}");
        assert!(began.elapsed().as_secs() < 20, "there is nothing to wait for");
    }
}

#[test]
fn a_metafile_that_could_not_be_written_again_counts_as_none() {
    let (sandbox, address) = built();
    let parent = sandbox.git("repo", &["rev-parse", "HEAD~1"]).trim().to_owned();
    // Compact it is small enough to be read, and as it must be written it would be too large.
    let numbers = vec!["0"; 400_000].join(",");
    let path = format!("repo/.git/metalogic/builds/{parent}/build_meta.json");
    sandbox.write(
        &path,
        format!("{{\"commit\":\"{parent}\",\"parent_commit\":null,\"artifacts\":{{}},\"x\":[{numbers}]}}"),
    );
    assert_eq!(sandbox.run(&["publish", "../docs.tar.gz"]).code, Some(0));
    assert_eq!(artifacts(&sandbox.read(&format!("{address}/build_meta.json"))), ["app.zip", "docs.tar.gz"]);
    assert_eq!(sandbox.run(&["resolve", "HEAD~1"]).code, Some(0));
    assert_eq!(artifacts(&sandbox.read(&path)), ["app.zip"]);
}

#[test]
fn nobody_writes_a_metafile_that_says_root_of_a_commit_whose_parent_is_not_known() {
    let (sandbox, _) = built();
    sandbox.write("elsewhere/artifacts.toml", "[projects.app]\nartifacts = [\"app.zip\"]\n");
    let id = "1".repeat(40);
    let store = sandbox.path("store").to_str().unwrap().to_owned();
    for arguments in [&["publish", "../app.zip", "--commit", &id][..], &["resolve", &id], &["publish", "--commit", &id]]
    {
        let ran = sandbox.run_in("elsewhere", &[&["--store", &store], arguments].concat());
        assert_eq!(ran.code, Some(11), "{ran}");
    }
    assert!(!sandbox.path("store").exists(), "nothing was written");
    // Once a clone has stubbed it, no repository is needed.
    let id = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    sandbox.done(&["--store", &store, "stub"]);
    let ran = sandbox.run_in("elsewhere", &["--store", &store, "publish", "../app.zip", "--commit", &id]);
    assert_eq!(ran.code, Some(0), "{ran}");
}

#[test]
fn both_files_of_a_pointing_registry_are_checked_and_a_chain_of_pointers_is_refused() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("central.toml", "[projects.app]\nartifacts = [\"app.zip\"]\n");
    sandbox.write("repo/artifacts.toml", "[repository]\nregistry = \"../central.toml\"\nprojets = [\"app\"]\n");
    let ran = sandbox.run(&["registry", "check"]);
    assert!(ran.code == Some(12) && ran.stderr.contains("artifacts.toml:3:1: unknown key \"projets\""), "{ran}");
    sandbox.write("repo/artifacts.toml", "[repository]\nregistry = \"../central.toml\"\nprojects = [\"ap\"]\n");
    let ran = sandbox.run(&["registry", "check"]);
    assert!(ran.stderr.contains("artifacts.toml:3:13: no project ap is defined, did you mean app?"), "{ran}");

    sandbox.write("central.toml", "[repository]\nregistry = \"elsewhere.toml\"\n");
    assert!(sandbox.run(&["resolve"]).stderr.contains("points on"));
    std::fs::remove_file(sandbox.path("repo/artifacts.toml")).unwrap();
    sandbox.commit("the store's");
    sandbox.write("repo/.git/metalogic/artifacts.toml", "[repository]\nregistry = \"/central.toml\"\n");
    let ran = sandbox.run(&["resolve"]);
    assert!(ran.code == Some(12) && ran.stderr.contains("points on"), "{ran}");
}

#[test]
fn a_pointed_and_a_named_registry_in_the_repository_are_read_at_the_commit_too() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/artifacts.toml", "[repository]\nregistry = \"meta/names.toml\"\n");
    sandbox.write("repo/meta/names.toml", "[projects.app]\nartifacts = [\"old.zip\"]\n");
    sandbox.commit("old");
    sandbox.write("repo/meta/names.toml", "[projects.app]\nartifacts = [\"new.zip\"]\n");
    sandbox.commit("new");
    sandbox.write("old.zip", "old");
    for named in [&[][..], &["--registry", "meta/names.toml"]] {
        let publish = |commit| sandbox.run(&[named, &["publish", "../old.zip", "--commit", commit]].concat()).code;
        assert_eq!((publish("HEAD~1"), publish("HEAD")), (Some(0), Some(6)), "{named:?}");
    }
}

#[test]
fn to_name_another_registry_changes_neither_the_store_nor_whose_the_projects_are() {
    let sandbox = Sandbox::with_repository();
    sandbox.write(
        "central.toml",
        "[projects.app]\nartifacts = [\"app.zip\"]\n[projects.other]\nartifacts = [\"other.zip\"]\n",
    );
    let own = "[repository]\nprojects = [\"app\"]\n[store]\nurl = \"../store\"\n[projects.app]\nartifacts = []\n";
    sandbox.write("repo/artifacts.toml", own);
    sandbox.commit("own");
    sandbox.write("app.zip", "app");
    sandbox.write("other.zip", "other");
    assert_eq!(sandbox.run(&["--registry", "../central.toml", "publish", "../app.zip"]).code, Some(0));
    assert!(sandbox.path("store/builds").exists() && !sandbox.path("repo/.git/metalogic").exists());
    assert_eq!(sandbox.run(&["--registry", "../central.toml", "publish", "../other.zip"]).code, Some(6));
    // And nobody asks for a project that is not this repository's without being told.
    let ran = sandbox.run(&["--registry", "../central.toml", "--project", "other", "publish", "--require-complete"]);
    assert!(ran.code == Some(12) && ran.stderr.contains("is not this repository's"), "{ran}");
}

#[test]
fn init_writes_a_store_that_means_the_same_place_from_everywhere() {
    let sandbox = Sandbox::new();
    sandbox.git(".", &["init", "--quiet", "repo"]);
    std::fs::create_dir(sandbox.path("repo/sub")).unwrap();
    let ran = sandbox.run_in("repo/sub", &["init", "--store", "../../store"]);
    assert_eq!(ran.code, Some(0), "{ran}");
    assert!(sandbox.read("repo/artifacts.toml").contains("url = \"../store\""));
    for (store, written) in
        [("s3://bucket/prefix", "\"s3://bucket/prefix\""), ("/srv/a\u{200b}\"b\\", "\"/srv/a\u{200b}\\\"b\\\\\"")]
    {
        std::fs::remove_file(sandbox.path("repo/artifacts.toml")).unwrap();
        sandbox.done(&["init", "--store", store]);
        assert!(sandbox.read("repo/artifacts.toml").contains(&format!("url = {written}")), "{store}");
        sandbox.done(&["registry", "check"]);
    }
    std::fs::remove_file(sandbox.path("repo/artifacts.toml")).unwrap();
    for store in ["ftp://x", "file:/tmp/x", "~/builds", ""] {
        let ran = sandbox.run(&["init", "--store", store]);
        assert!(ran.code == Some(12) && !sandbox.path("repo/artifacts.toml").exists(), "{ran}");
    }
}

#[test]
fn a_partial_clone_says_that_it_lacks_the_registry_and_takes_no_other_for_it() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("repo/artifacts.toml", "[projects.app]\nartifacts = [\"new.zip\"]\n");
    sandbox.commit("renamed");
    sandbox.git("repo", &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", sandbox.path("repo").display());
    sandbox.git(".", &["clone", "--quiet", "--filter=blob:none", &url, "partial"]);
    sandbox.write("new.zip", "new");
    let ran = sandbox.run_in("partial", &["publish", "../new.zip", "--commit", "HEAD~1"]);
    assert!(ran.code == Some(11) && ran.stderr.contains("partial clone does not have artifacts.toml"), "{ran}");
    assert_eq!(sandbox.run_in("partial", &["publish", "../new.zip"]).code, Some(0));
}

#[test]
fn what_is_recorded_of_other_bytes_does_not_stay() {
    let (sandbox, _) = built();
    let first = sandbox.git("repo", &["rev-parse", "HEAD~1"]).trim().to_owned();
    let metafile = format!("repo/.git/metalogic/builds/{first}/build_meta.json");
    let wrong = sandbox.read(&metafile).replace("\"size\": 7", "\"size\": 99");
    sandbox.write(&metafile, &wrong);
    sandbox.done(&["resolve"]);
    assert!(sandbox.done(&["show"]).contains("\"size\": 7"));
    sandbox.done(&["resolve", "HEAD~1"]);
    assert!(!sandbox.read(&metafile).contains("99"));

    // An attribute goes with a file when it is copied, and does not change when the copy is edited.
    let artifact = format!("repo/.git/metalogic/builds/{first}/app.zip");
    sandbox.shell(&format!(
        "cp -a {artifact} copy && chmod u+w copy && echo more >> copy && rm -f {artifact} && cp -a copy {artifact}"
    ));
    sandbox.done(&["resolve", "--rebuild", "HEAD~1"]);
    assert_eq!(sandbox.run(&["fetch", "app.zip", "--commit", "HEAD~1", "-o", "../got"]).code, Some(0));
    assert_eq!(sandbox.read("got/app.zip"), "the appmore\n");
}

#[test]
fn many_stubs_are_made_from_the_oldest_on_and_one_that_fails_holds_up_none() {
    let sandbox = Sandbox::with_repository();
    sandbox.write("app.zip", "the app");
    sandbox.done(&["publish", "../app.zip"]);
    for number in 0..5 {
        sandbox.commit(&number.to_string());
    }
    let newest_first = sandbox.git("repo", &["rev-list", "HEAD~5..HEAD"]);
    let mut arguments = vec!["--max-ancestors", "2", "--json", "stub", "0123456789012345678901234567890123456789"];
    arguments.extend(newest_first.lines());
    let ran = sandbox.run(&arguments);
    assert_eq!(ran.code, Some(11), "{ran}");
    assert_eq!(serde_json::from_str::<Value>(&ran.stdout).unwrap()["stubs"].as_array().unwrap().len(), 5);
    assert_eq!(artifacts(&sandbox.done(&["show"])), ["app.zip"]);
}

#[test]
fn a_put_that_fails_leaves_what_stands_resolved() {
    let (sandbox, address) = built();
    std::fs::create_dir_all(sandbox.path(&format!("{address}/docs.tar.gz"))).unwrap();
    let ran = sandbox.run(&["publish", "../app.zip", "../docs.tar.gz"]);
    assert!(ran.code != Some(0) && ran.stderr.contains("docs.tar.gz could not be published"), "{ran}");
    assert!(ran.stderr.contains("published app.zip"), "{ran}");
    assert_eq!(artifacts(&sandbox.read(&format!("{address}/build_meta.json"))), ["app.zip"]);
}

#[cfg(unix)]
#[test]
fn a_lock_that_somebody_holds_is_waited_for_no_longer_than_asked() {
    let (sandbox, _) = built();
    sandbox.done(&["stub"]);
    sandbox.write("docs.tar.gz", "the docs");
    let locks = sandbox.path("repo/.git/metalogic/.metalogic/locks");
    std::fs::create_dir_all(&locks).unwrap();
    let held: Vec<std::fs::File> = (0..256)
        .map(|number| {
            let file = std::fs::File::create(locks.join(format!("{number:02x}"))).unwrap();
            file.lock().unwrap();
            file
        })
        .collect();
    let began = std::time::Instant::now();
    let ran = sandbox.run(&["--timeout", "1s", "publish", "../docs.tar.gz"]);
    assert!(ran.code == Some(10) && began.elapsed().as_secs() < 15, "{ran}");
    drop(held);
    sandbox.done(&["publish", "../docs.tar.gz"]);
}

#[test]
fn what_is_asked_for_a_warning_alone_holds_up_no_build() {
    let (sandbox, _) = built();
    sandbox.write("repo/.git/index", "no index");
    let ran = sandbox.run(&["publish", "../docs.tar.gz"]);
    assert!(ran.code == Some(0) && ran.stderr.contains("warning: whether the work tree differs"), "{ran}");
}

#[cfg(unix)]
#[test]
fn names_of_files_need_not_be_text() {
    use std::os::unix::ffi::OsStrExt as _;
    let (sandbox, _) = built();
    let odd = std::ffi::OsStr::from_bytes(b"\xff.bin");
    std::fs::write(sandbox.path("repo").join(odd), "odd").unwrap();
    let argument = std::ffi::OsStr::from_bytes(b"docs.tar.gz=\xff.bin");
    let output = sandbox.command("repo", &["publish"]).arg(argument).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", sandbox.ran("publish", &output));
    let store = std::ffi::OsStr::from_bytes(b"st\xff");
    let output = sandbox.command("repo", &["stub"]).env("METALOGIC_STORE", store).output().unwrap();
    assert_eq!(output.status.code(), Some(12), "{}", sandbox.ran("stub", &output));
}

#[test]
fn a_registry_that_is_no_file_is_refused_and_not_waited_for() {
    let (sandbox, _) = built();
    for registry in ["/dev/zero", ".."] {
        let ran = sandbox.run(&["--registry", registry, "resolve"]);
        assert!(ran.code == Some(12) && ran.stderr.contains("not a regular file"), "{ran}");
    }
}

#[test]
fn every_unknown_name_is_told_and_one_that_nothing_can_have_is_to_be_removed() {
    let (sandbox, address) = built();
    let told = |hint: &str, arguments: &[&str]| {
        let run = sandbox.run(arguments);
        assert!(run.code == Some(6) && run.stderr.contains(hint), "{run}");
        run.stderr
    };
    sandbox.write(&format!("{address}/dir.zip/x"), "");
    let said = told("remove or move away file://", &["publish"]);
    assert!(said.contains("/dir.zip/: no artifact") && !said.contains("registry add"), "{said}");
    std::fs::rename(sandbox.path(&format!("{address}/dir.zip")), sandbox.path("away")).unwrap();
    // Another spelling of what is registered can be no name of its own.
    sandbox.write(&format!("{address}/APP.zip"), "");
    assert!(told("APP.zip: no artifact can have that name", &["resolve"]).contains("remove or move away"));
    let names: Vec<String> = (0..81).map(|number| format!("{}-{number}.zip", "long".repeat(10))).collect();
    names.iter().for_each(|name| sandbox.write(&format!("{address}/{name}"), ""));
    for arguments in [&["resolve"][..], &["--json", "resolve"]] {
        let said = told("`metalogic registry add` registers them", arguments);
        assert!(said.contains("; remove or move away file://") && said.contains("/APP.zip: "), "{said}");
        names.iter().for_each(|name| assert!(said.contains(name.as_str()), "{name}: {said}"));
    }
}

#[cfg(unix)]
#[test]
fn something_else_in_a_stores_place_is_to_be_moved_away() {
    let (sandbox, _) = built();
    let set = [
        ("mkdir S && touch S/builds", "S"),
        ("mkdir S && touch S/.metalogic", "S"),
        ("ln -s /nonexistent S", "S"),
        ("ln -s S S", "S"),
        ("mkdir S && ln -s builds S/builds", "S"),
        ("mkdir -p S/builds/$(git -C repo rev-parse HEAD)/build_meta.json", "S"),
        ("touch S", "S/x"),
        (":", "/dev/null/x"),
    ];
    for (script, store) in set {
        sandbox.shell(&format!("rm -rf S; {script}"));
        let store = sandbox.path(store);
        let ran = sandbox.run(&["publish", "../docs.tar.gz", "--store", store.to_str().unwrap()]);
        assert!(ran.code == Some(12) && ran.stderr.contains("move it away, or name another store"), "{script}: {ran}");
        assert!(ran.stderr.contains("/S") || ran.stderr.contains("/dev/null"), "{script}: {ran}");
    }
    for store in ["file:///tmp/%00x", "/tmp/\\u0000x"] {
        sandbox.write("R.toml", format!("[projects.p]\nartifacts = [\"app.zip\"]\n[store]\nurl = \"{store}\"\n"));
        let ran = sandbox.run(&["--registry", "../R.toml", "show"]);
        assert!(ran.code == Some(12) && ran.stderr.contains("NUL"), "{ran}");
    }
}

#[test]
fn a_metafile_whose_unknown_keys_leave_no_room_says_what_to_take_out() {
    let (sandbox, address) = built();
    let head = sandbox.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    let parent = sandbox.git("repo", &["rev-parse", "HEAD~1"]).trim().to_owned();
    let text = |x: &str| {
        format!(
            "{{\n  \"artifacts\": {{}},\n  \"commit\": \"{head}\",\n  \"parent_commit\": \"{parent}\",\n  \"x\": \"{x}\"\n}}\n"
        )
    };
    let room = (1 << 20) - text("").len();
    let path = format!("{address}/build_meta.json");
    sandbox.write(&path, text(&"x".repeat(room)));
    let ran = sandbox.run(&["resolve"]);
    let url = format!("{path}, or delete that and run `metalogic resolve`");
    assert!(ran.code == Some(8) && ran.stderr.contains("leave no room: take them out of file://"), "{ran}");
    assert!(ran.stderr.contains(&url), "{ran}");
}

#[test]
fn a_registry_far_too_large_is_refused_at_once_and_replaced_by_its_tag_alone() {
    let (sandbox, _) = built();
    let large = std::fs::File::create(sandbox.path("shared.toml")).unwrap();
    large.set_len(3 << 30).unwrap();
    let began = std::time::Instant::now();
    let push = |expect: &[&str]| {
        let file = sandbox.path("repo/artifacts.toml");
        sandbox.run(&[&["--registry", "../shared.toml", "registry", "push", file.to_str().unwrap()], expect].concat())
    };
    let refused = push(&[]);
    assert!(refused.code == Some(12), "{refused}");
    let tag = refused.stderr.split_once("its tag is ").unwrap().1.split(')').next().unwrap().to_owned();
    large.set_len((3 << 30) + 1).unwrap();
    assert_eq!(push(&["--expect", &tag]).code, Some(7), "it has grown");
    large.set_len(3 << 30).unwrap();
    assert_eq!(push(&["--expect", &tag]).code, Some(0));
    assert!(began.elapsed().as_secs() < 10, "nobody reads all of it");
    assert_eq!(sandbox.read("shared.toml"), sandbox.read("repo/artifacts.toml"));
}
