//! Directories that are removed, moved away or swapped for links while something is put into them.

use super::meddle::{Deed, Meddling, meddler, side_by_side};
use crate::sandbox::Sandbox;

const BYTES: &str = "the program";

fn template() -> Sandbox {
    let sandbox = Sandbox::fleeting().having_repository();
    sandbox.write("in/app.zip", BYTES);
    sandbox.write("elsewhere/kept", "somebody else's");
    sandbox
}

/// Runs a command with something done before each of its calls in turn.
fn at_each_call(
    template: &Sandbox,
    (arguments, watched): (&[&str], &str),
    script: &str,
    judge: impl Fn(&Sandbox, &crate::sandbox::Ran) + Sync,
) {
    let Some(meddler) = meddler() else { return };
    let command = |sandbox: &Sandbox| sandbox.command("repo", arguments);
    let meddling = |nth, deed| Meddling { watched: vec![watched.to_owned()], nth, deed, ..Meddling::default() };
    let sandbox = template.copied();
    let (output, calls) = sandbox.meddled(meddler, &command(&sandbox), &meddling(0, Deed::Nothing));
    assert!(output.status.success(), "{}", sandbox.ran("plain", &output));
    let nths: Vec<usize> = (1..=calls.len()).collect();
    let codes = side_by_side(&nths, |nth| {
        let sandbox = template.copied();
        let (output, _) = sandbox.meddled(meddler, &command(&sandbox), &meddling(*nth, Deed::After(script.to_owned())));
        let ran = sandbox.ran(&format!("{script}, before call {nth}"), &output);
        judge(&sandbox, &ran);
        assert!(!ran.stderr.contains("panicked"), "{ran}");
        assert!(ran.code == Some(0) || ran.stderr.contains("hint: ") || ran.stderr.contains("symbolic link"), "{ran}");
        ran.code.unwrap()
    });
    let mut times = std::collections::BTreeMap::<i32, usize>::new();
    codes.iter().for_each(|code| *times.entry(*code).or_default() += 1);
    println!("| {} | {script} | {} | {times:?} |", arguments[0], codes.len());
}

#[test]
fn an_output_directory_that_goes_while_it_is_filled_has_all_of_a_file_or_none() {
    let template = template();
    template.done(&["publish", "../in/app.zip", "--store", "../store"]);
    std::fs::create_dir(template.path("out")).unwrap();
    let fetch = (&["fetch", "-o", "../out", "--store", "../store"][..], "out");
    for script in [
        "rm -rf out",
        "mv out moved",
        "mv out moved && ln -s elsewhere out",
        "mv out moved && ln -s nowhere out",
        "mv out moved && echo a file >out",
    ] {
        at_each_call(&template, fetch, script, |sandbox, ran| {
            let mut whole = 0;
            for directory in ["out", "moved", "elsewhere"] {
                for (name, bytes) in sandbox.files(directory) {
                    // What has no name yet stays in a directory that was moved away: it is not where it was put any more.
                    let draft = name.starts_with(".metalogic-") && directory == "moved";
                    assert!(
                        draft || name == "kept" || name == "app.zip" && bytes == BYTES.as_bytes(),
                        "{directory}/{name}: {ran}"
                    );
                    whole += usize::from(name == "app.zip");
                }
            }
            // A link from `out` shows what is elsewhere twice.
            assert!((ran.code == Some(0)) == (whole > 0) || script.starts_with("rm"), "{whole}: {ran}");
        });
    }
}

#[test]
fn an_address_that_becomes_a_link_while_it_is_written_leads_nothing_elsewhere() {
    let template = template();
    let commit = template.git("repo", &["rev-parse", "HEAD"]).trim().to_owned();
    template.write("in/docs.tar.gz", "the manual");
    template.done(&["publish", "../in/docs.tar.gz", "--store", "../store"]);
    let precious = template.copied();
    precious.write("elsewhere/app.zip", "somebody else's program");
    precious.write("elsewhere/build_meta.json", "{}");
    let script = format!("mv store/builds/{commit} moved && ln -s ../../elsewhere store/builds/{commit}");
    let publish = (&["publish", "../in/app.zip", "--store", "../store"][..], "store");
    for template in [template, precious] {
        let theirs = template.files("elsewhere");
        at_each_call(&template, publish, &script, |sandbox, ran| {
            let elsewhere = sandbox.files("elsewhere");
            assert!(elsewhere == theirs, "{:?}: {ran}", elsewhere.keys());
            assert!(!sandbox.files("store").keys().any(|name| name.contains(".metalogic/tmp/")), "{ran}");
            // What is read through the link may say no before anything is written.
            assert!(ran.code != Some(0) || sandbox.files("moved").contains_key("app.zip"), "{ran}");
        });
    }
}
