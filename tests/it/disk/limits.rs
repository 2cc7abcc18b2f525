//! What needs no right and no kernel of a kind: limits of the shell, permissions, and outputs that take nothing.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::Stdio;

use crate::descriptors;
use crate::sandbox::{Ran, Sandbox};

const SOMEBODY: u32 = 65534;

fn published() -> Sandbox {
    let sandbox = Sandbox::with_repository();
    sandbox.write("in/app.zip", vec![7; 300_000]);
    sandbox.done(&["publish", "../in/app.zip", "--store", "../store"]);
    sandbox
}

/// Runs the binary by a shell that does something first.
fn after(sandbox: &Sandbox, first: &str, arguments: &[&str]) -> Ran {
    let binary = sandbox.command("repo", &[]);
    let mut command = sandbox.plain_command("sh");
    command.current_dir(sandbox.path("repo")).args(["-c", &format!("{first}; exec \"$0\" \"$@\"")]);
    let output = command.arg(binary.get_program()).args(arguments).output().unwrap();
    sandbox.ran(&format!("{first}; metalogic {}", arguments.join(" ")), &output)
}

#[test]
fn a_file_that_may_not_grow_is_told_and_not_left() {
    let sandbox = published();
    // So many blocks, of 512 bytes or of 1024.
    let ran = after(&sandbox, "ulimit -f 100", &["publish", "../in/app.zip", "--store", "../small"]);
    assert_eq!(ran.code, Some(10), "{ran}");
    assert!(ran.stderr.contains("the store has no room for [DIR]/small/builds/"), "{ran}");
    assert!(ran.stderr.contains("hint: make room there"), "{ran}");
    let left: Vec<String> =
        sandbox.tree("small").into_iter().filter(|name| name.contains("app.zip") || name.contains("put-")).collect();
    assert_eq!(left, [""; 0]);
    assert_eq!(sandbox.run(&["publish", "../in/app.zip", "--store", "../small"]).code, Some(0));

    sandbox.write("out/app.zip", "an older program");
    let ran = after(&sandbox, "ulimit -f 100", &["fetch", "-o", "../out", "--store", "../store"]);
    assert_eq!(ran.code, Some(1), "{ran}");
    assert!(ran.stderr.contains("../out/app.zip cannot be written") && ran.stderr.contains("hint: make room"), "{ran}");
    assert_eq!(
        (sandbox.tree("out").as_slice(), sandbox.read("out/app.zip").as_str()),
        (&["app.zip".to_owned()][..], "an older program")
    );
    assert_eq!(sandbox.run(&["fetch", "-o", "../out", "--store", "../store"]).code, Some(0));
}

#[test]
fn an_answer_that_standard_output_does_not_take_is_a_failure() {
    if !Path::new("/dev/full").exists() {
        return eprintln!("AN OUTPUT THAT IS FULL IS NOT TRIED HERE: there is no /dev/full");
    }
    let sandbox = published();
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    for arguments in [
        &["show"][..],
        &["show", "--json"],
        &["fetch", "app.zip", "--as", "-"],
        &["fetch", "-o", "../out"],
        &["publish"],
        &["registry", "list"],
        &["completions", "bash"],
        &["--help"],
        &["publish", "--help"],
        &["--version"],
    ] {
        let mut command = sandbox.command("repo", arguments);
        let output = command.env("METALOGIC_STORE", sandbox.path("store")).stdout(full()).output().unwrap();
        let ran = sandbox.ran(&arguments.join(" "), &output);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(
            ran.stderr.contains("standard output cannot be written") && ran.stderr.contains("os error 28"),
            "{ran}"
        );
    }
    // Nobody can be told that nobody can be told: what was to be done is done.
    let mut command = sandbox.command("repo", &["publish", "../in/app.zip", "--store", "../store"]);
    assert_eq!(command.stderr(full()).output().unwrap().status.code(), Some(0));
    assert_eq!(sandbox.command("repo", &["show", "nothing"]).stderr(full()).output().unwrap().status.code(), Some(11));
}

#[test]
fn what_a_person_may_not_read_or_write_is_access_denied_by_its_path() {
    let sandbox = published();
    let bits =
        |path: &str, bits| std::fs::set_permissions(sandbox.path(path), std::fs::Permissions::from_mode(bits)).unwrap();
    let root = std::fs::metadata(sandbox.path("")).unwrap().uid() == 0;
    bits("", 0o755);
    for directory in ["open", "closed", "closed/inner", "closed/tmp"] {
        std::fs::create_dir(sandbox.path(directory)).unwrap();
    }
    sandbox.shell("cp -R repo own && chmod -R a+rX store repo own && cp in/app.zip in/secret && cp -R store hidden && mkdir own/.git/metalogic");
    // Somebody else may not be let into the directory in which the binary was built.
    let binary = sandbox.path("program");
    descriptors::copy_program(Path::new(env!("CARGO_BIN_EXE_metalogic")), &binary);
    bits("program", 0o755);
    bits("open", 0o777);
    bits("in/secret", 0);
    bits("hidden", 0);
    bits("own/.git/metalogic", 0o555);
    for path in ["closed/inner", "closed/tmp", "closed", "store"] {
        bits(path, 0o555);
    }
    for (arguments, temporary, code, named) in [
        (&["publish", "../in/app.zip", "--store", "../closed/inner"][..], "open", 9, "[DIR]/closed/inner/builds/"),
        (&["publish", "../in/app.zip", "--store", "../closed/new"], "open", 9, "[DIR]/closed/new/builds/"),
        (&["publish", "../in/app.zip", "--store", "../hidden"], "open", 9, "[DIR]/hidden/builds/"),
        (&["show", "--store", "../hidden"], "open", 9, "[DIR]/hidden/builds/"),
        (&["publish", "app.zip=../in/secret", "--store", "../open/store"], "open", 9, "../in/secret cannot be read"),
        (
            &["fetch", "-o", "../closed/inner", "--store", "../store"],
            "open",
            9,
            "../closed/inner/app.zip cannot be written",
        ),
        (&["fetch", "-o", "../closed/new", "--store", "../store"], "open", 9, "../closed/new cannot be written"),
        (
            &["fetch", "app.zip", "--as", "-", "--store", "../store"],
            "closed/tmp",
            9,
            "[DIR]/closed/tmp cannot be written",
        ),
        // Nothing temporary is needed, and no home.
        (&["fetch", "-o", "../open/got", "--store", "../store"], "closed/tmp", 0, ""),
        (&["publish", "../in/app.zip", "--store", "../open/new"], "closed/tmp", 0, ""),
        // The store that is there by default lies in git's own directory.
        (&["-C", "../own", "publish", "../in/app.zip"], "open", 9, "[DIR]/own/.git/metalogic/builds/"),
        (&["-C", "../own", "stub"], "open", 9, "[DIR]/own/.git/metalogic/builds/"),
        (&["-C", "../own", "show"], "open", 0, ""),
    ] {
        let mut command = sandbox.plain_command(binary.to_str().unwrap());
        command.args(arguments).current_dir(sandbox.path("repo"));
        command.env("TMPDIR", sandbox.path(temporary)).env("HOME", sandbox.path("closed"));
        // Nothing is denied to the superuser.
        if root {
            command.uid(SOMEBODY).gid(SOMEBODY);
        }
        command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", "safe.directory").env("GIT_CONFIG_VALUE_0", "*");
        let ran = sandbox.ran(&arguments.join(" "), &command.output().unwrap());
        assert_eq!(ran.code, Some(code), "{ran}");
        assert!(ran.stderr.contains(named), "{named}: {ran}");
        assert!(code == 0 || ran.stderr.contains("hint: ") && !ran.stderr.contains("hidden does not exist"), "{ran}");
    }
    for path in ["hidden", "closed", "closed/inner", "closed/tmp", "store", "own/.git/metalogic"] {
        bits(path, 0o755);
    }
    assert!(sandbox.tree("closed").iter().all(|name| ["inner", "tmp"].contains(&name.as_str())));
}

#[test]
fn a_file_system_that_is_full_or_read_only_is_told_apart() {
    let sandbox = published();
    std::fs::create_dir(sandbox.path("small")).unwrap();
    let binary = sandbox.command("repo", &[]).get_program().to_str().unwrap().to_owned();
    // Where nobody may mount anything, the limits of the shell and the faults of the kernel say as much.
    let script = format!(
        "mount -t tmpfs -o size=64k tmpfs small || exit 99; cd repo
         say() {{ echo \"$? $(ls -A ../small/out 2>/dev/null | tr '\\n' ' ')$(find ../small -name 'put-*' -o -path '*/builds/*/app.zip')\"; }}
         {binary} publish ../in/app.zip --store ../small/store; say
         {binary} fetch -o ../small/out --store ../store; say
         mount -o remount,ro ../small || exit 99
         {binary} publish ../in/app.zip --store ../small/store; say
         {binary} fetch -o ../small/out --store ../store; say"
    );
    let mut command = sandbox.plain_command("unshare");
    let output = command.args(["--user", "--map-root-user", "--mount", "sh", "-c", &script]).output();
    let codes = |ran: &Ran| {
        let is_code = |line: &&str| line.starts_with(|c: char| c.is_ascii_digit());
        ran.stdout.lines().filter(is_code).map(|line| line.trim().to_owned()).collect::<Vec<_>>()
    };
    match output.map(|output| sandbox.ran("unshare", &output)) {
        Ok(ran) if ran.code == Some(0) => assert_eq!(codes(&ran), ["10", "1", "9", "9"], "{ran}"),
        Ok(ran) => {
            eprintln!("A FILE SYSTEM OF A GIVEN SIZE IS NOT TRIED HERE, only limits of the shell are: {}", ran.stderr);
        }
        Err(error) => {
            eprintln!("A FILE SYSTEM OF A GIVEN SIZE IS NOT TRIED HERE, only limits of the shell are: {error}");
        }
    }
}

#[test]
fn a_name_that_is_too_long_for_the_disk_is_told() {
    let sandbox = published();
    let long = "x".repeat(300);
    for arguments in [
        ["fetch", "-o", &long],
        ["publish", &format!("app.zip={long}"), "--quiet"],
        ["fetch", "app.zip", &format!("--as={long}")],
    ] {
        let ran = sandbox.command("repo", &arguments).env("METALOGIC_STORE", sandbox.path("store")).output().unwrap();
        let ran = sandbox.ran(arguments[0], &ran);
        assert!(
            matches!(ran.code, Some(1 | 2)) && ran.stderr.contains(&long) && ran.stderr.contains("hint: "),
            "{ran}"
        );
    }
}
