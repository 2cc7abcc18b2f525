//! The commands that are tried, each in a sandbox of its own.

use std::process::Command;

use crate::sandbox::Sandbox;

/// Describes a command and what there was before it.
pub struct Scenario {
    pub name: &'static str,
    /// What is run before, in the repository.
    before: &'static [&'static [&'static str]],
    /// What is tried.
    arguments: &'static [&'static str],
    /// Where it meets faults.
    pub watched: &'static [&'static str],
    /// Whether it may be run again when it is done.
    pub repeats: bool,
    /// Every how many calls are tried, unless all are: where others do the same, fewer.
    pub stride: usize,
}

pub const APP: &str = "the program, in more than one word";
pub const DOCS: &str = "the manual, which is longer than the program by far";

const PUBLISH: &[&str] = &["publish", "../in/app.zip", "../in/docs.tar.gz"];
const STAGE: &[&str] = &["stage", "app", "1.0.0", "../in/app.zip"];

pub const SCENARIOS: &[Scenario] = &[
    Scenario::new("publish", &[], PUBLISH, &["store", "in"]),
    Scenario::new(
        "publish more",
        &[&["publish", "../in/app.zip"]],
        &["publish", "../in/docs.tar.gz"],
        &["store", "in"],
    )
    .every(2),
    Scenario::new("publish again", &[PUBLISH], PUBLISH, &["store", "in"]).every(2),
    Scenario::new("stub", &[], &["stub"], &["store"]),
    Scenario::new("resolve", &[&["publish", "../in/app.zip"], &["by hand"]], &["resolve"], &["store"]),
    Scenario::new("show", &[PUBLISH], &["show"], &["store"]),
    Scenario::new("fetch", &[PUBLISH], &["fetch", "-o", "../out"], &["store", "out"]),
    Scenario::new("fetch --as", &[PUBLISH], &["fetch", "app.zip", "--as", "../out/app.zip"], &["store", "out"])
        .every(2),
    Scenario::new("fetch --as -", &[PUBLISH], &["fetch", "app.zip", "--as", "-"], &["store", "tmp"]),
    Scenario::new("stage", &[], STAGE, &["store", "in"]).every(2),
    Scenario::new(
        "stage --commit",
        &[PUBLISH],
        &["stage", "app", "1.0.0", "--commit", "HEAD", "--artifact", "app.zip"],
        &["store"],
    )
    .every(2),
    Scenario::new("latest", &[STAGE], &["latest", "app"], &["store"]),
    Scenario::new("download", &[STAGE], &["download", "app", "1.0.0", "-o", "../out"], &["store", "out"]),
    Scenario::new(
        "registry push",
        &[],
        &["registry", "push", "artifacts.toml", "--registry", "../shared/artifacts.toml"],
        &["shared"],
    ),
    Scenario::new(
        "registry add",
        &[],
        &["registry", "add", "new.zip", "--registry", "../team/artifacts.toml"],
        &["team"],
    ),
    Scenario::new("hooks install", &[], &["hooks", "install"], &["repo/.git/hooks"]).every(3),
    Scenario::new("hooks uninstall", &[&["hooks", "install"]], &["hooks", "uninstall"], &["repo/.git/hooks"]).every(3),
    Scenario::new("init", &[], &["-C", "../fresh", "init"], &["fresh"]).once(),
];

impl Scenario {
    const fn new(
        name: &'static str,
        before: &'static [&'static [&'static str]],
        arguments: &'static [&'static str],
        watched: &'static [&'static str],
    ) -> Self {
        Self { name, before, arguments, watched, repeats: true, stride: 1 }
    }

    const fn every(mut self, stride: usize) -> Self {
        self.stride = stride;
        self
    }

    const fn once(mut self) -> Self {
        self.repeats = false;
        self
    }

    /// Makes a sandbox in which the command can be run.
    pub fn begin(&self) -> Sandbox {
        let sandbox = Sandbox::fleeting().having_repository();
        sandbox.write("in/app.zip", APP);
        sandbox.write("in/docs.tar.gz", DOCS);
        // An older file that is to be replaced, in a directory that stands.
        sandbox.write("out/app.zip", "an older program");
        sandbox.write("fresh/README", "nothing is registered yet");
        sandbox.write("team/artifacts.toml", sandbox.read("repo/artifacts.toml"));
        sandbox.write("repo/.git/hooks/pre-push", "#!/bin/sh\nexit 0\n");
        // What git's template has is nothing to copy a thousand times.
        sandbox.shell("rm -f repo/.git/hooks/*.sample");
        for directory in ["tmp", "shared"] {
            std::fs::create_dir_all(sandbox.path(directory)).unwrap();
        }
        for before in self.before {
            if before == &["by hand"] {
                let commit = sandbox.git("repo", &["rev-parse", "HEAD"]);
                sandbox.write(&format!("store/builds/{}/docs.tar.gz", commit.trim()), DOCS);
            } else {
                let output = Self::run(&sandbox, before).output().unwrap();
                assert!(output.status.success(), "{}", sandbox.ran(self.name, &output));
            }
        }
        sandbox
    }

    /// Returns the command, ready to run in such a sandbox.
    pub fn command(&self, sandbox: &Sandbox) -> Command {
        Self::run(sandbox, self.arguments)
    }

    fn run(sandbox: &Sandbox, arguments: &[&str]) -> Command {
        let mut command = sandbox.command("repo", arguments);
        command.env("METALOGIC_STORE", sandbox.path("store")).env("TMPDIR", sandbox.path("tmp"));
        // One after the other, so that a call's number says which it is.
        command.env("METALOGIC_JOBS", "1");
        command
    }
}
