//! Hooks on a store that is far away: nobody waits for it, and nothing is forgotten while it does not answer.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{commit, log, ok, without_metafile};
use crate::fake::{ACCESS_KEY, Act, BUCKET, Fake, Fault, REGION, SECRET_KEY};
use crate::sandbox::{Ran, Sandbox};

/// How long a store may stay silent before somebody says so: longer than any of these tests takes where nobody waits for it.
const SILENCE: &str = "1m";

/// A clone with hooks whose store is in a bucket.
struct Team {
    fake: Fake,
    sandbox: Sandbox,
}

impl Team {
    async fn new() -> Self {
        let (fake, sandbox) = (Fake::start().await, Sandbox::with_repository());
        let team = Self { fake, sandbox };
        team.sandbox.git("repo", &["config", "metalogic.store", &format!("s3://{BUCKET}")]);
        let ran = team.sandbox.run(&["hooks", "install"]);
        assert_eq!(ran.code, Some(0), "{ran}");
        team
    }

    /// Sets what the SDK reads.
    fn equip(&self, mut command: std::process::Command) -> std::process::Command {
        command.env("AWS_ENDPOINT_URL", &self.fake.endpoint).env("METALOGIC_TIMEOUT", SILENCE);
        command.env("AWS_REGION", REGION).env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        command
    }

    fn program(&self, arguments: &[&str]) -> Ran {
        let output = self.equip(self.sandbox.command("repo", arguments)).output().unwrap();
        self.sandbox.ran("metalogic", &output)
    }

    /// Commits, and returns the id. Git's streams are read to their ends: whoever kept one open would be waited for.
    fn commit(&self, message: &str) -> String {
        let arguments = ["commit", "--allow-empty", "-m", message];
        let git = self.equip(self.sandbox.with_program(self.sandbox.git_command("repo", &arguments)));
        let mut git = git;
        let output = git.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stderr), "", "a hook says nothing");
        ok(&self.sandbox, "repo", &["rev-parse", "HEAD"])
    }

    fn has_metafile(&self, id: &str) -> bool {
        self.fake.object(&format!("builds/{id}/build_meta.json")).is_some()
    }

    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(20), "{what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn waiting(&self) -> usize {
        let queue = self.sandbox.path("repo/.git/metalogic-hooks/queue");
        std::fs::read_dir(queue).map_or(0, |entries| {
            entries
                .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "json"))
                .count()
        })
    }
}

fn silence(times: usize) -> Fault {
    Fault { about: vec![], times, act: Act::Silence }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_stubbed_soon_after_it() {
    let team = Team::new().await;
    let ids: Vec<String> = ["one", "two", "three"].map(|message| team.commit(message)).into();
    team.until("each has a metafile", || ids.iter().all(|id| team.has_metafile(id))).await;
    team.until("nothing waits", || team.waiting() == 0).await;
    let status = team.program(&["--json", "hooks", "status"]);
    let object: serde_json::Value = serde_json::from_str(&status.stdout).unwrap();
    assert_eq!((&object["failures"], &object["waiting"]), (&serde_json::json!([]), &serde_json::json!([])), "{status}");
    // The first commit is older than the hooks.
    assert_eq!(object["without_metafile"].as_array().unwrap().len(), 1, "{status}");
    let first = ok(&team.sandbox, "repo", &["rev-parse", "HEAD~3"]);
    assert_eq!(object["by_hand"], serde_json::json!([format!("metalogic stub {first}")]));
    let mended = team.program(&["stub", "--range", "HEAD"]);
    assert_eq!(mended.code, Some(0), "{mended}");
    let status = team.program(&["hooks", "status"]);
    assert!(status.stdout.contains("none is missing of 4 commits that refs and work trees reach"), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_commit_waits_for_a_store_that_never_answers_and_the_next_hook_makes_up_for_it() {
    let team = Team::new().await;
    team.fake.fault(silence(1000));
    let began = Instant::now();
    let mut ids: Vec<String> = (0..10).map(|number| team.commit(&number.to_string())).collect();
    // Ten that waited a second each would take longer.
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    team.until("the store is asked", || team.fake.count() > 0).await;
    assert_eq!(team.waiting(), 10);
    // One process works for all of them, and its session is its own.
    let workers = workers(&team.sandbox);
    assert_eq!(workers.len(), 1, "{workers:?}");
    assert_eq!(workers[0].session, workers[0].process, "it leads a session");
    assert!(workers[0].streams.iter().all(|stream| stream == "/dev/null"), "{workers:?}");
    // What it does is bounded in time; here somebody loses patience.
    std::process::Command::new("kill").args(["-9", &workers[0].process]).status().unwrap();
    team.fake.mend();
    ids.push(team.commit("and it answers again"));
    team.until("all are made up for", || ids.iter().all(|id| team.has_metafile(id))).await;
    team.until("nothing waits", || team.waiting() == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_refuses_is_told_by_the_status_with_what_mends_it() {
    let team = Team::new().await;
    let before = ok(&team.sandbox, "repo", &["rev-parse", "HEAD"]);
    team.fake.fault(Fault { about: vec![], times: 1000, act: Act::Answer { status: 403, headers: vec![], body: "" } });
    let id = team.commit("refused");
    team.until("it is written down", || log(&team.sandbox, "repo").len() == 1).await;
    let status = team.program(&["hooks", "status"]);
    assert_eq!(status.code, Some(9), "the store cannot be asked: {status}");
    for says in [
        "last failure     20",
        "post-commit",
        "is missing or forbidden",
        "waiting          1 job",
        &format!("metalogic stub --range {before}..{id}"),
    ] {
        assert!(status.stdout.contains(says), "{says}: {status}");
    }
    team.fake.mend();
    let command = status.stdout.lines().find_map(|line| line.strip_prefix("to mend it now   metalogic ")).unwrap();
    let mended = team.program(&command.split(' ').collect::<Vec<_>>());
    assert_eq!(mended.code, Some(0), "{mended}");
    assert!(team.has_metafile(&id));
    let status = team.program(&["hooks", "status"]);
    assert!(
        !status.stdout.contains("waiting") && status.stdout.contains("1 is missing of 2"),
        "what is mended waits no more: {status}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_can_be_done_at_once_and_uninstalling_says_that_it_goes() {
    let team = Team::new().await;
    team.fake.fault(Fault { about: vec![], times: 1000, act: Act::Answer { status: 403, headers: vec![], body: "" } });
    let id = team.commit("refused");
    team.until("it is written down", || log(&team.sandbox, "repo").len() == 1).await;
    let told = team.program(&["hooks", "uninstall", "--dry-run"]);
    assert!(told.stderr.contains("1 job that waits for a store would go with the hooks"), "{told}");
    let refused = team.program(&["stub", "--queued"]);
    assert!(refused.code == Some(9) && team.waiting() == 1, "{refused}");
    team.fake.mend();
    let done = team.program(&["stub", "--queued"]);
    assert!(done.stdout.contains(&id), "{done}");
    assert_eq!((done.code, team.has_metafile(&id), team.waiting()), (Some(0), true, 0), "{done}");
    // An answer that is good for one store is none for another.
    team.fake.fault(silence(1000));
    team.commit("for the bucket");
    let elsewhere = team.program(&["--store", "../elsewhere", "--json", "hooks", "status"]);
    let object: serde_json::Value = serde_json::from_str(&elsewhere.stdout).unwrap();
    let commands: Vec<&str> = object["by_hand"].as_array().unwrap().iter().filter_map(|one| one.as_str()).collect();
    assert!(
        commands[0].ends_with(&format!(" --store s3://{BUCKET}")) && commands[1].contains(" --store file://"),
        "{elsewhere}"
    );
    workers(&team.sandbox).iter().for_each(|worker| {
        std::process::Command::new("kill").args(["-9", &worker.process]).status().unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_or_a_pipe_of_whoever_committed_is_free_when_git_returns() {
    let team = Team::new().await;
    team.fake.fault(silence(1000));
    // Whoever waits for the pipe's end waits for all who hold it.
    let script = "exec 3>&1; git commit --quiet --allow-empty -m one 7>&1 >/dev/null 2>&1";
    let mut command = team.equip(team.sandbox.with_program(team.sandbox.plain_command("bash")));
    let began = Instant::now();
    let output = command.args(["-c", script]).current_dir(team.sandbox.path("repo")).output().unwrap();
    assert!(output.status.success() && began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    team.until("the store is asked", || team.fake.count() > 0).await;
    workers(&team.sandbox).iter().for_each(|worker| {
        std::process::Command::new("kill").args(["-9", &worker.process]).status().unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_without_trees_is_stubbed_in_a_bucket() {
    let team = Team::new().await;
    team.sandbox.git("repo", &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", team.sandbox.path("repo").display());
    team.sandbox.git(".", &["clone", "--quiet", "--mirror", "--filter=tree:0", &url, "mirror.git"]);
    let head = ok(&team.sandbox, "repo", &["rev-parse", "HEAD"]);
    let store = format!("s3://{BUCKET}");
    let output =
        team.equip(team.sandbox.command("mirror.git", &["--store", &store, "stub", "--range", &head])).output();
    let ran = team.sandbox.ran("stub", &output.unwrap());
    assert!(ran.code == Some(0) && team.has_metafile(&head), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_wait_a_commit_is_stubbed_all_the_same() {
    let team = Team::new().await;
    team.sandbox.write("repo/.git/metalogic-hooks", "no directory");
    let id = team.commit("next");
    team.until("it has a metafile", || team.has_metafile(&id)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_takes_longer_than_it_may_ends_and_says_so() {
    let team = Team::new().await;
    team.fake.fault(silence(1000));
    let mut command = team.equip(
        team.sandbox
            .with_program(team.sandbox.git_command("repo", &["commit", "--quiet", "--allow-empty", "-m", "slow"])),
    );
    assert!(command.env("METALOGIC_TIMEOUT", "1s").status().unwrap().success());
    team.until("it is written down", || log(&team.sandbox, "repo").len() == 1).await;
    let entry = log(&team.sandbox, "repo").remove(0);
    assert_eq!(entry["failures"][0]["kind"], "unavailable", "{entry}");
    team.until("nobody is left", || workers(&team.sandbox).is_empty()).await;
    assert_eq!(team.waiting(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_for_a_far_store_holds_up_no_commit_to_a_near_one() {
    let team = Team::new().await;
    team.fake.fault(silence(1000));
    let far = team.commit("far");
    team.until("the store is asked", || team.fake.count() > 0).await;
    team.sandbox.git("repo", &["config", "--unset", "metalogic.store"]);
    let near = commit(&team.sandbox, "repo", "near");
    assert!(team.sandbox.path(&format!("repo/.git/metalogic/builds/{near}/build_meta.json")).exists());
    assert!(without_metafile(&team.sandbox, "repo", &["HEAD"]).contains(&far), "it is another store's");
    workers(&team.sandbox).iter().for_each(|worker| {
        std::process::Command::new("kill").args(["-9", &worker.process]).status().unwrap();
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn detach_returns_at_once_and_the_work_is_done() {
    let team = Team::new().await;
    let ids: Vec<String> = ["a", "b"].map(|file| commit_without_hooks(&team, file)).into();
    let ran = team.program(&["--json", "stub", "--detach", "--range", "HEAD~2..HEAD"]);
    let object: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(
        (ran.code, &object["detached"], &object["stubs"]),
        (Some(0), &true.into(), &serde_json::json!([])),
        "{ran}"
    );
    team.until("each has a metafile", || ids.iter().all(|id| team.has_metafile(id))).await;
    team.until("it is written down", || !log(&team.sandbox, "repo").is_empty()).await;
    assert_eq!(log(&team.sandbox, "repo")[0]["by"], serde_json::json!(["stub"]));
    let nowhere = team.sandbox.run_in(".", &["--store", "store", "stub", "--detach", &ids[0]]);
    assert_eq!(nowhere.code, Some(11), "{nowhere}");
}

fn commit_without_hooks(team: &Team, message: &str) -> String {
    ok(&team.sandbox, "repo", &["-c", "core.hooksPath=/nowhere", "commit", "--quiet", "--allow-empty", "-m", message]);
    ok(&team.sandbox, "repo", &["rev-parse", "HEAD"])
}

/// What the system says of a process that works a queue off.
#[derive(Debug)]
struct Worker {
    process: String,
    session: String,
    streams: Vec<String>,
}

/// Returns the processes that work off the queue of a sandbox's repository.
fn workers(sandbox: &Sandbox) -> Vec<Worker> {
    let here = sandbox.path("repo").canonicalize().unwrap();
    let mut workers = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let is_worker =
            std::fs::read(path.join("cmdline")).is_ok_and(|line| line.ends_with(b"\0stub\0--queued\0--alone\0"));
        if !is_worker || std::fs::read_link(path.join("cwd")).ok() != Some(here.clone()) {
            continue;
        }
        let Ok(stat) = std::fs::read_to_string(path.join("stat")) else { continue };
        // The name, in brackets, may have anything in it.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap().split(' ').collect();
        let stream = |number: u8| {
            std::fs::read_link(path.join(format!("fd/{number}")))
                .map_or_else(|_| String::new(), |target| target.display().to_string())
        };
        let process = path.file_name().unwrap().to_str().unwrap().to_owned();
        // A process that has ended and that nobody has waited for yet works no more.
        if fields[0] != "Z" {
            workers.push(Worker { process, session: fields[3].to_owned(), streams: [0, 1, 2].map(stream).into() });
        }
    }
    workers
}
