//! What the program does and says on a directory, it does and says on S3: the same commands in two repositories with the same commits, one
//! with its store in a directory and one in a bucket. Answer, log and exit code are the same text once the store's URL is taken out of
//! it, and the same objects lie in both stores after each command.

use std::collections::BTreeMap;

use metalogic::artifact::Digest;

use crate::fake::{ACCESS_KEY, BUCKET, Fake, REGION, SECRET_KEY};
use crate::sandbox::{Ran, Sandbox, at_one_moment};

struct Twins {
    directory: Sandbox,
    s3: Sandbox,
    fake: Fake,
}

impl Twins {
    /// Makes both with a registry of two artifacts, and one commit.
    async fn new() -> Self {
        let twins =
            Self { directory: Sandbox::with_repository(), s3: Sandbox::with_repository(), fake: Fake::start().await };
        std::fs::create_dir(twins.directory.path("store")).unwrap();
        for name in ["app.zip", "docs.tar.gz"] {
            twins.write(&format!("out/{name}"), &format!("the {name}"));
            twins.write(&format!("other/{name}"), &format!("another {name}"));
        }
        twins.write("elsewhere/nothing", "");
        twins
    }

    /// Makes both, with three commits: `app.zip` was built at the first, `docs.tar.gz` at the second, nothing at the third.
    async fn built() -> (Self, [String; 3]) {
        let twins = Self::new().await;
        let first = twins.git(&["rev-parse", "HEAD"]);
        twins.run(0, &["publish", "../out/app.zip"]);
        let second = twins.commit("second");
        twins.run(0, &["publish", "../out/docs.tar.gz"]);
        let third = twins.commit("third");
        (twins, [first, second, third])
    }

    fn both(&self) -> [&Sandbox; 2] {
        [&self.directory, &self.s3]
    }

    fn write(&self, path: &str, text: &str) {
        self.both().iter().for_each(|sandbox| sandbox.write(path, text));
    }

    fn git(&self, arguments: &[&str]) -> String {
        let [one, other] = self.both().map(|sandbox| sandbox.git("repo", arguments).trim().to_owned());
        assert_eq!(one, other, "both have the same commits");
        one
    }

    fn commit(&self, message: &str) -> String {
        self.both().iter().for_each(|sandbox| drop(sandbox.commit(message)));
        self.git(&["rev-parse", "HEAD"])
    }

    /// Puts an object into both stores, with means other than the program's.
    fn plant(&self, key: &str, text: &str) {
        self.remove(key);
        self.directory.write(&format!("store/{key}"), text);
        self.fake.plant(&format!("team/{key}"), text.to_owned());
    }

    fn remove(&self, key: &str) {
        drop(std::fs::remove_file(self.directory.path(&format!("store/{key}"))));
        self.fake.remove(&format!("team/{key}"));
    }

    /// Runs a command in both repositories, which must end with this code, and returns what it printed.
    fn run(&self, code: i32, arguments: &[&str]) -> String {
        self.run_in("repo", code, arguments)
    }

    fn run_in(&self, directory: &str, code: i32, arguments: &[&str]) -> String {
        let command = format!("metalogic {}", arguments.join(" "));
        let [on_directory, on_s3] = [self.on_directory(directory, arguments), self.on_s3(directory, arguments)];
        assert_eq!(on_directory.code, Some(code), "{command}: {on_directory}");
        // Each store has tags of its own.
        let untagged =
            |line: &str| if line.starts_with("  \"tag\": \"") { "  \"tag\"".to_owned() } else { line.to_owned() };
        let plain = |ran: &Ran, url: &str| {
            let text = format!("{command}\n{ran}").replace(url, "<store>");
            text.lines().map(untagged).collect::<Vec<_>>().join("\n")
        };
        let [one, other] = [plain(&on_directory, "file://[DIR]/store"), plain(&on_s3, &self.url())];
        assert!(one == other, "on a directory:\n{one}\non S3:\n{other}");
        assert_eq!(self.in_directory(), self.in_s3(), "after {command}");
        let [got, also] = self.both().map(|sandbox| sandbox.path("got").exists().then(|| sandbox.tree("got")));
        assert_eq!(got, also, "after {command}");
        one
    }

    fn url(&self) -> String {
        format!("s3://{BUCKET}/team")
    }

    fn on_directory(&self, directory: &str, arguments: &[&str]) -> Ran {
        let mut command = self.directory.command(directory, arguments);
        command.env("METALOGIC_STORE", self.directory.path("store"));
        self.directory.ran("", &command.output().unwrap())
    }

    fn on_s3(&self, directory: &str, arguments: &[&str]) -> Ran {
        let mut command = self.s3.command(directory, arguments);
        command.env("METALOGIC_STORE", self.url()).env("AWS_ENDPOINT_URL", &self.fake.endpoint);
        command.env("AWS_REGION", REGION).env("AWS_ACCESS_KEY_ID", ACCESS_KEY).env("AWS_SECRET_ACCESS_KEY", SECRET_KEY);
        self.s3.ran("", &command.output().unwrap())
    }

    fn in_directory(&self) -> BTreeMap<String, Digest> {
        let store = self.directory.path("store");
        let files = self.directory.tree("store").into_iter();
        let files = files.filter(|path| !path.starts_with(".metalogic") && store.join(path).is_file());
        files.map(|path| (path.clone(), digest(&std::fs::read(store.join(&path)).unwrap()))).collect()
    }

    fn in_s3(&self) -> BTreeMap<String, Digest> {
        let keys = self.fake.keys().into_iter();
        let digest_of = |key: &str| digest(&self.fake.object(key).unwrap().bytes);
        keys.map(|key| (key.strip_prefix("team/").unwrap().to_owned(), digest_of(&key))).collect()
    }
}

/// Returns what tells contents apart, but for when they were recorded: one of the twins is a moment later.
fn digest(bytes: &[u8]) -> Digest {
    Digest::of(std::str::from_utf8(bytes).map_or(bytes.to_vec(), |text| at_one_moment(text).into_bytes()).as_slice())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_sees_the_same_from_its_first_commit_to_its_third() {
    let twins = Twins::new().await;
    twins.run(0, &["show"]);
    twins.run(0, &["stub"]);
    twins.run(0, &["stub", "HEAD"]);
    twins.run(0, &["publish", "../out/app.zip"]);
    twins.run(0, &["publish", "../out/app.zip"]);
    twins.run(0, &["show"]);
    twins.commit("second");
    twins.run(0, &["--json", "stub", "HEAD~1", "HEAD"]);
    twins.run(0, &["--json", "publish", "--require-complete", "../out/docs.tar.gz"]);
    twins.run(0, &["--json", "publish", "../out/docs.tar.gz", "../out/app.zip"]);
    twins.commit("third");
    twins.run(0, &["show"]);
    twins.run(0, &["--json", "show", "HEAD~1"]);
    twins.run(0, &["resolve"]);
    twins.run(0, &["--json", "resolve"]);
    twins.run(0, &["--json", "show"]);
    twins.run(0, &["resolve", "--rebuild", "HEAD~1"]);
    twins.run(0, &["show", "--fresh", "HEAD~1"]);
    twins.run(0, &["fetch", "-o", "../got"]);
    twins.run(0, &["fetch", "-o", "../got"]);
    twins.run(0, &["--json", "fetch", "-o", "../got/json"]);
    twins.run(0, &["fetch", "app.zip", "--as", "../got/renamed"]);
    let printed = twins.run(0, &["--quiet", "fetch", "docs.tar.gz", "--commit", "HEAD~1", "--as", "-"]);
    assert!(printed.contains("the docs.tar.gz"), "{printed}");
    twins.run(0, &["registry", "list"]);
    twins.run(0, &["registry", "check"]);
    for sandbox in twins.both() {
        let url = format!("file://{}", sandbox.path("repo").display());
        sandbox.git(".", &["clone", "--quiet", "--depth", "1", &url, "shallow"]);
    }
    twins.run_in("shallow", 0, &["resolve"]);
    twins.run_in("shallow", 0, &["fetch", "--fresh", "-o", "../got/shallow"]);
    assert_eq!(twins.s3.read("got/shallow/app.zip"), "the app.zip");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_refused_in_the_same_words() {
    let (twins, _) = Twins::built().await;
    twins.write("out/who.zip", "unregistered");
    twins.run(6, &["publish", "../out/who.zip"]);
    twins.run(6, &["publish", "old.zip=../out/app.zip"]);
    twins.run(6, &["--json", "publish", "../out/who.zip", "../out/app.zip"]);
    twins.run(13, &["publish", "../out/who.zip", "app.zip=../out/nowhere.zip"]);
    twins.run(7, &["publish", "--commit", "HEAD~2", "../other/app.zip"]);
    twins.run(3, &["publish", "--commit", "HEAD~2", "--require-complete"]);
    twins.run(13, &["publish", "--commit", "HEAD~2", "../other/app.zip", "--require-complete"]);
    twins.run(7, &["--json", "publish", "--commit", "HEAD~2", "../other/app.zip", "../out/docs.tar.gz"]);
    twins.run(0, &["publish", "--commit", "HEAD~1", "--if-exists", "keep", "../other/docs.tar.gz"]);
    twins.run(3, &["fetch", "old.zip"]);
    twins.run(3, &["fetch", "old.zip", "who.zip", "app.zip", "-o", "../got"]);
    twins.run(2, &["fetch", "--as", "../got/x"]);
    twins.run(11, &["show", "nonsense"]);
    twins.run(11, &["publish", "--commit", "0123456789012345678901234567890123456789", "../out/app.zip"]);
    twins.run(11, &["stub", "0123456789012345678901234567890123456789", "HEAD"]);
    twins.run(12, &["--registry", "nowhere.toml", "resolve"]);
    twins.run(12, &["publish", "--project", "nobody", "../out/app.zip"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_the_same_and_writes_nothing_on_either() {
    let (twins, _) = Twins::built().await;
    let before = twins.in_s3();
    twins.run(0, &["publish", "--dry-run", "../out/app.zip"]);
    twins.run(0, &["--json", "publish", "--dry-run", "../out/app.zip", "--commit", "HEAD~2"]);
    twins.run(7, &["publish", "--dry-run", "../other/app.zip", "--commit", "HEAD~2"]);
    twins.run(0, &["resolve", "--dry-run"]);
    twins.run(0, &["stub", "--dry-run"]);
    twins.run(0, &["fetch", "--dry-run", "-o", "../got"]);
    twins.run(0, &["show", "--fresh"]);
    assert_eq!(twins.in_s3(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_put_there_counts_alike() {
    let (twins, [first, second, third]) = Twins::built().await;
    twins.plant(&format!("builds/{third}/app.zip"), "by hand");
    twins.run(0, &["publish"]);
    twins.run(0, &["fetch", "-o", "../got"]);
    twins.run(0, &["--json", "fetch", "-o", "../got"]);
    twins.write("by hand/app.zip", "by hand");
    twins.run(0, &["--json", "publish", "../by hand/app.zip"]);
    twins.run(7, &["publish", "../out/app.zip"]);
    // What is no artifact's, and what is nobody's.
    twins.plant(&format!("builds/{third}/.hidden"), "x");
    twins.run(0, &["resolve"]);
    twins.plant(&format!("builds/{third}/who.zip"), "x");
    twins.plant(&format!("builds/{third}/no name"), "x");
    twins.plant(&format!("builds/{first}/who.zip"), "x");
    twins.run(6, &["publish"]);
    twins.run(13, &["publish", "../out/app.zip"]);
    twins.run(6, &["--json", "resolve"]);
    // What vanished.
    twins.remove(&format!("builds/{second}/docs.tar.gz"));
    twins.run(3, &["fetch", "docs.tar.gz", "--commit", "HEAD~1", "-o", "../got/gone"]);
    twins.run(0, &["resolve", "HEAD~1"]);
    twins.run(0, &["resolve", "--rebuild", "HEAD~1"]);
    // What changed behind everyone's back.
    twins.plant(&format!("builds/{first}/app.zip"), "THE APP.ZIP");
    twins.run(8, &["fetch", "app.zip", "--commit", "HEAD~2", "--as", "../got/changed"]);
    twins.run(8, &["fetch", "app.zip", "--commit", "HEAD~2", "--as", "-"]);
    twins.plant(&format!("builds/{first}/app.zip"), "shorter");
    twins.run(8, &["--json", "fetch", "app.zip", "--commit", "HEAD~2", "-o", "../got"]);
    assert!(!twins.s3.path("got/changed").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_metafile_is_the_same_trouble_on_both() {
    let (twins, [_, second, third]) = Twins::built().await;
    let huge = format!("{{\"x\": \"{}\"}}", "y".repeat(1 << 20));
    for bad in ["", "[]", "{\"commit\": \"../../x\"}", huge.as_str()] {
        twins.plant(&format!("builds/{third}/build_meta.json"), bad);
        twins.run(8, &["show"]);
        twins.run(8, &["--json", "fetch", "-o", "../got"]);
        twins.run(0, &["show", "--fresh"]);
        twins.run(0, &["stub"]);
        twins.run(0, &["resolve"]);
        twins.run(0, &["show"]);
    }
    twins.plant(&format!("builds/{second}/build_meta.json"), "no metafile");
    twins.remove(&format!("builds/{third}/build_meta.json"));
    twins.run(0, &["--json", "show"]);
    twins.run(0, &["stub"]);
    twins.run(0, &["fetch", "-o", "../got"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_in_the_store_and_no_repository_at_all_are_the_same_on_both() {
    let (twins, [first, second, _]) = Twins::built().await;
    for arguments in [
        &["show", &second][..],
        &["fetch", "--commit", &second, "app.zip", "--as", "-"],
        &["stub", &second],
        &["fetch", "--commit", &first, "-o", "../got"],
    ] {
        twins.run_in("elsewhere", 0, arguments);
    }
    twins.run_in("elsewhere", 11, &["stub", "0123456789012345678901234567890123456789"]);
    twins.run_in("elsewhere", 12, &["resolve", &second]);
    twins.run_in("elsewhere", 12, &["registry", "list"]);
    twins.plant("artifacts.toml", "[projects.app]\nartifacts = [\"app.zip\"\n");
    twins.run_in("elsewhere", 12, &["resolve", &second]);
    twins.run_in("elsewhere", 12, &["registry", "check"]);
    twins.plant("artifacts.toml", "[projects.app]\nartifacts = [\"app.zip\", \"docs.tar.gz\", \"new.zip\"]\nodd = 1\n");
    twins.run_in("elsewhere", 12, &["registry", "check"]);
    twins.run_in("elsewhere", 0, &["--json", "registry", "list"]);
    twins.run_in("elsewhere", 0, &["publish", "--commit", &second, "new.zip=../out/app.zip", "--require-complete"]);
    twins.run_in("elsewhere", 0, &["show", "--fresh", &second]);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_recorded_beside_an_object_is_read_alike_where_no_metafile_tells_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let twins = Twins::new().await;
    if xattr::set(twins.directory.path("store"), "user.probe", b"").is_err() {
        println!("skipped: this file system keeps no extended attributes, so a directory on it records no digests");
        return;
    }
    let first = twins.git(&["rev-parse", "HEAD"]);
    twins.write("out/docs.tar.gz", "");
    for sandbox in twins.both() {
        let executable = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(sandbox.path("out/app.zip"), executable).unwrap();
    }
    twins.run(0, &["publish", "../out/app.zip", "../out/docs.tar.gz"]);
    twins.remove(&format!("builds/{first}/build_meta.json"));
    let resolved = twins.run(0, &["--json", "resolve"]);
    assert_eq!(resolved.matches("\"sha256\"").count(), 2, "{resolved}");
    assert_eq!(resolved.matches("\"mode\": \"755\"").count(), 1, "{resolved}");
    let fetched = twins.run(0, &["--json", "fetch", "-o", "../got"]);
    assert_eq!(fetched.matches("\"verified\": true").count(), 2, "{fetched}");
    twins.run(7, &["publish", "../other/app.zip"]);
    for sandbox in twins.both() {
        assert_ne!(std::fs::metadata(sandbox.path("got/app.zip")).unwrap().permissions().mode() & 0o111, 0);
    }
}
