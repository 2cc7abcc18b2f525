//! What the README grants on Startifact's parameters and bucket is enough, and all of it is needed. moto heeds rights.

use std::path::Path;

use serde_json::{Value, json};

use super::service::Moto;
use crate::sandbox::{Ran, Sandbox};

const REGION: &str = "eu-north-1";

/// A configuration of the described kind.
const ORGANISATION: &str = r#"{"bucket_key_prefix": "org/", "bucket_param_name": "/artifacts-bucket", "bucket_param_region": "eu-north-1",
"bucket_region": "eu-north-1", "parameter_name_prefix": "/org-", "parameter_region": "eu-north-1", "save_ok": "y", "start_ok": "y"}"#;

/// Returns the README's policies on Startifact's things, as pairs of an action and a resource: reader, stager, set-up.
fn policies() -> Vec<Vec<(String, String)>> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let blocks = readme.split("```json\n").skip(1).map(|block| block.split("```").next().unwrap());
    let several = |value: &Value| -> Vec<String> {
        let text = |one: &Value| one.as_str().unwrap().to_owned();
        value.as_array().map_or_else(|| vec![text(value)], |all| all.iter().map(text).collect())
    };
    let read = |block: &str| {
        let policy: Value = serde_json::from_str(block).unwrap();
        let mut granted = Vec::new();
        for statement in policy["Statement"].as_array().unwrap() {
            for action in several(&statement["Action"]) {
                // moto has an account of its own.
                let resources = several(&statement["Resource"]).into_iter();
                granted.extend(resources.map(|one| (action.clone(), one.replace("111122223333", "123456789012"))));
            }
        }
        granted
    };
    blocks.filter(|block| block.contains("Statement") && block.contains("ssm:")).map(read).collect()
}

/// An organisation whose people may do what they are granted.
struct Acme {
    moto: Moto,
    sandbox: Sandbox,
}

impl Acme {
    fn new() -> Option<Self> {
        let moto = Moto::alone()?;
        let create = json!({"Bucket": "acme-artifacts", "CreateBucketConfiguration": {"LocationConstraint": REGION}});
        moto.boto_in(REGION, "s3", "create_bucket", create);
        for (name, value) in [("/artifacts-bucket", "acme-artifacts"), ("/startifact", ORGANISATION)] {
            let parameter = json!({"Name": name, "Value": value, "Type": "String"});
            moto.boto_in(REGION, "ssm", "put_parameter", parameter);
        }
        let sandbox = Sandbox::new();
        sandbox.write("one", "one");
        sandbox.write("two", "two");
        sandbox.write("large", vec![1; 9 << 20]);
        Some(Self { moto, sandbox })
    }

    /// Runs the program as somebody who is granted this.
    fn run(&self, user: &str, granted: &[(String, String)], arguments: &[&str]) -> Ran {
        self.run_in(".", user, granted, arguments)
    }

    fn run_in(&self, directory: &str, user: &str, granted: &[(String, String)], arguments: &[&str]) -> Ran {
        let statement =
            |(action, resource): &(String, String)| json!({"Effect": "Allow", "Action": action, "Resource": resource});
        // Who makes users needs rights, too.
        self.moto.heed_nothing();
        let reach = self.moto.user(user, granted.iter().map(statement).collect());
        self.moto.heed_rights();
        let mut command = self.sandbox.command(directory, arguments);
        command.env("METALOGIC_STORE", "s3://acme-builds");
        command.env("AWS_ENDPOINT_URL", &self.moto.endpoint).env("AWS_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", reach.access_key).env("AWS_SECRET_ACCESS_KEY", reach.secret_key);
        command.env("STARTIFACT_PARAMETER", "/startifact");
        self.sandbox.ran(&arguments.join(" "), &command.output().unwrap())
    }

    /// Returns how often the parameter with the latest version of `app` was set.
    fn times_set(&self) -> u64 {
        self.moto.heed_nothing();
        let parameter = self.moto.boto_in(REGION, "ssm", "get_parameter", json!({"Name": "/org-app/latest"}));
        parameter["Parameter"]["Version"].as_u64().unwrap()
    }
}

/// Returns the grants but for one.
fn without(granted: &[(String, String)], gone: (&str, &str)) -> Vec<(String, String)> {
    let (action, end) = gone;
    let mut fewer = granted.to_vec();
    fewer.retain(|(granted, resource)| !(granted == action && resource.ends_with(end)));
    assert_eq!(fewer.len() + 1, granted.len(), "{gone:?}");
    fewer
}

#[test]
fn each_role_on_startifacts_things_can_do_its_work_and_needs_every_grant() {
    let Some(acme) = Acme::new() else { return };
    let policies = policies();
    let [reader, stager, keeper] = policies.as_slice() else { panic!("there are {} policies", policies.len()) };
    let mut users = 0;
    let mut as_user = |granted: &[(String, String)], arguments: &[&str]| {
        users += 1;
        acme.run(&format!("user{users}"), granted, arguments)
    };
    let works = |ran: Ran| assert_eq!(ran.code, Some(0), "{ran}");
    works(as_user(stager, &["stage", "app", "1.0.0", "one"]));
    works(as_user(stager, &["stage", "app", "1.1.0", "large"]));
    works(as_user(stager, &["stage", "app", "1.1.0", "large"]));
    works(as_user(stager, &["versions", "app"]));
    works(as_user(reader, &["latest", "app"]));
    works(as_user(reader, &["info", "app", "1.0.0"]));
    works(as_user(reader, &["download", "app", "--as", "-"]));
    works(as_user(keeper, &["setup", "--show"]));
    works(as_user(keeper, &["setup", "--yes", "--key-prefix", "org2/"]));
    works(as_user(keeper, &["setup", "--yes", "--key-prefix", "org/"]));
    // AWS tells only those who may list what is missing from what is forbidden, as `startifact::finding` shows. This service tells all.
    assert_eq!(as_user(reader, &["download", "app", "9.9.9", "--as", "-"]).code, Some(3));
    assert_eq!(as_user(stager, &["download", "app", "9.9.9", "--as", "-"]).code, Some(3));
    assert_eq!(as_user(reader, &["versions", "app"]).code, Some(9));

    let without = |granted: &[(String, String)], at: usize| {
        let mut fewer = granted.to_vec();
        let gone = fewer.remove(at);
        (fewer, gone)
    };
    for at in 0..reader.len() {
        let (fewer, gone) = without(reader, at);
        let ran = as_user(&fewer, &["download", "app", "--as", "-"]);
        assert_eq!(ran.code, Some(9), "without {gone:?}: {ran}");
    }
    for at in 0..keeper.len() {
        let (fewer, gone) = without(keeper, at);
        let ran = as_user(&fewer, &["setup", "--yes", "--key-prefix", &format!("other{at}/")]);
        assert!(ran.code != Some(0) || ran.stderr.contains("/artifacts-bucket"), "without {gone:?}: {ran}");
    }
}

#[test]
fn startifacts_own_policy_for_stagers_is_enough_for_what_is_new() {
    let Some(acme) = Acme::new() else { return };
    let policies = policies();
    let lacking = |(action, resource): &&(String, String)| {
        action != "s3:GetObject"
            && action != "s3:AbortMultipartUpload"
            && !(action == "ssm:GetParameter" && resource.ends_with("org-*"))
    };
    let article: Vec<(String, String)> = policies[1].iter().filter(lacking).cloned().collect();
    assert_eq!(article.len(), 5, "{article:?}");
    for (user, version, file, code) in
        [("a", "1.0.0", "one", 0), ("b", "2.0.0", "two", 0), ("c", "1.0.5", "one", 0), ("d", "1.0.0", "two", 9)]
    {
        let ran = acme.run(user, &article, &["stage", "app", version, file]);
        assert_eq!(ran.code, Some(code), "{ran}");
    }
    let latest = acme.run("e", &policies[0], &["latest", "app"]);
    assert_eq!(latest.stdout, "2.0.0\n", "{latest}");
    // Each of these grants is needed.
    for at in 0..article.len() {
        let mut fewer = article.clone();
        let gone = fewer.remove(at);
        let ran = acme.run(&format!("f{at}"), &fewer, &["stage", "app", &format!("3.{at}.0"), "one"]);
        assert_eq!(ran.code, Some(9), "without {gone:?}: {ran}");
    }
}

#[test]
fn what_stagers_are_granted_beyond_startifacts_own_policy_is_of_use() {
    let Some(acme) = Acme::new() else { return };
    let stager = policies().swap_remove(1);
    let again = ["stage", "app", "1.0.0", "one"];
    assert_eq!(acme.run("a", &stager, &again).code, Some(0));
    // What is set already is not set again, by who may see it.
    let set = acme.times_set();
    assert_eq!(acme.run("b", &stager, &again).code, Some(0));
    assert_eq!(acme.times_set(), set);
    assert_eq!(acme.run("c", &without(&stager, ("ssm:GetParameter", "org-*")), &again).code, Some(0));
    assert_eq!(acme.times_set(), set + 1);
    // Whether what stands is the same is known to who may read it.
    assert_eq!(acme.run("d", &without(&stager, ("s3:GetObject", "org/*")), &again).code, Some(9));
}

#[test]
fn to_promote_a_build_takes_the_right_to_read_it() {
    let Some(acme) = Acme::new() else { return };
    let create = json!({"Bucket": "acme-builds", "CreateBucketConfiguration": {"LocationConstraint": REGION}});
    acme.moto.boto_in(REGION, "s3", "create_bucket", create);
    acme.sandbox.git(".", &["init", "--quiet", "--initial-branch=main", "repo"]);
    acme.sandbox.write("repo/artifacts.toml", "[projects.app]\nartifacts = [\"app.zip\"]\n");
    acme.sandbox.commit("first");
    acme.sandbox.write("repo/app.zip", "the app");
    let everything = [("*".to_owned(), "*".to_owned())];
    let published = acme.run_in("repo", "builder", &everything, &["publish", "app.zip"]);
    assert_eq!(published.code, Some(0), "{published}");

    let stager = policies().swap_remove(1);
    let promote = ["stage", "app", "1.0.0", "--commit", "HEAD", "--artifact", "app.zip"];
    let denied = acme.run_in("repo", "a", &stager, &promote);
    assert_eq!(denied.code, Some(9), "{denied}");
    let mut promoter = stager;
    promoter.push(("s3:GetObject".to_owned(), "arn:aws:s3:::acme-builds/builds/*".to_owned()));
    let promoted = acme.run_in("repo", "b", &promoter, &promote);
    assert_eq!(promoted.code, Some(0), "{promoted}");
    let downloaded = acme.run("c", &policies()[0], &["download", "app", "--as", "-"]);
    assert_eq!(downloaded.stdout, "the app", "{downloaded}");
}
