//! Who gives credentials, by the real binary.

use std::process::Command;

use crate::fake::answers::Answers;
use crate::fake::proxy::Proxy;
use crate::fake::{ACCESS_KEY, SECRET_KEY};
use crate::sandbox::Ran;

use super::program::Team;

const EXPIRY: &str = "2099-01-01T00:00:00Z";

/// Nobody is there.
const DEAD: &str = "http://127.0.0.1:9";

/// Returns a command that finds no keys in the environment.
fn keyless(team: &Team) -> Command {
    let mut command = team.command(&["--timeout", "5s", "stub"]);
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    command
}

fn ran(team: &Team, variables: &[(&str, &str)]) -> Ran {
    team.run_as(keyless(team).envs(variables.iter().copied()))
}

fn done(team: &Team, variables: &[(&str, &str)]) {
    let ran = ran(team, variables);
    assert_eq!(ran.code, Some(0), "{variables:?}: {ran}");
    assert!(!team.fake.requests().is_empty());
}

/// Returns keys as services of AWS give them in JSON.
fn json() -> String {
    format!(
        "{{\"Code\":\"Success\",\"Version\":1,\"AccessKeyId\":\"{ACCESS_KEY}\",\"SecretAccessKey\":\"{SECRET_KEY}\",\
         \"Token\":\"t\",\"SessionToken\":\"t\",\"Expiration\":\"{EXPIRY}\"}}"
    )
}

/// Returns keys as the service of tokens gives them.
fn xml(action: &str) -> String {
    let keys = format!(
        "<Credentials><AccessKeyId>{ACCESS_KEY}</AccessKeyId><SecretAccessKey>{SECRET_KEY}</SecretAccessKey>\
         <SessionToken>t</SessionToken><Expiration>{EXPIRY}</Expiration></Credentials>"
    );
    let user = "<AssumedRoleUser><AssumedRoleId>R:s</AssumedRoleId><Arn>arn:aws:sts::1:assumed-role/r/s</Arn></AssumedRoleUser>";
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result>{user}{keys}</{action}Result>\
         <ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></{action}Response>"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_gives_keys_and_a_process_does() {
    let team = Team::new().await;
    team.sandbox.write("keys.json", json());
    let process = format!("cat {}", team.sandbox.path("keys.json").display());
    let config =
        format!("[profile asking]\ncredential_process = {process}\n[profile failing]\ncredential_process = false\n");
    team.sandbox.write(".aws/config", config);
    let keys = format!("[default]\naws_access_key_id = {ACCESS_KEY}\naws_secret_access_key = {SECRET_KEY}\n");
    team.sandbox.write(".aws/credentials", keys);
    done(&team, &[]);
    done(&team, &[("AWS_PROFILE", "")]);
    done(&team, &[("AWS_PROFILE", "asking")]);
    let ran = ran(&team, &[("AWS_PROFILE", "failing")]);
    assert_eq!(ran.code, Some(12), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_that_does_not_exist_is_named_with_those_that_do() {
    let team = Team::new().await;
    let run = |keys: bool| {
        let mut command = if keys { team.command(&["stub"]) } else { keyless(&team) };
        team.run_as(command.env("AWS_PROFILE", "releases"))
    };
    for keys in [true, false] {
        let ran = run(keys);
        assert_eq!(ran.code, Some(12), "{ran}");
        assert!(ran.stderr.contains("AWS_PROFILE is \"releases\""), "{ran}");
        assert!(ran.stderr.contains("~/.aws/config and ~/.aws/credentials: they have none"), "{ran}");
    }
    team.sandbox.write(".aws/config", "[profile dev]\nregion = eu-north-1\n[default]\n");
    assert!(run(true).stderr.contains("they have default, dev"), "{}", run(true));
    team.sandbox.write(".aws/config", "[profile dev\n");
    let ran = run(true);
    assert!(ran.code == Some(12) && ran.stderr.contains("the AWS profiles cannot be read"), "{ran}");
    assert!(team.fake.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_web_identity_is_exchanged_for_keys_by_the_proxy_if_need_be() {
    let (team, sts) = (Team::new().await, Answers::start(vec![("Token=", xml("AssumeRoleWithWebIdentity"))]).await);
    let proxy = Proxy::to(&sts.url()).await;
    team.sandbox.write("token", "a-token-of-ci");
    let token = team.sandbox.path("token");
    let identity = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
        ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/ci"),
        ("AWS_ENDPOINT_URL_S3", &team.fake.endpoint),
    ];
    done(&team, &[&identity[..], &[("AWS_ENDPOINT_URL_STS", &sts.url())]].concat());
    assert!(sts.requests()[0].contains("WebIdentityToken=a-token-of-ci"));
    let (by, past) = (("http_proxy", proxy.url()), ("no_proxy", "127.0.0.1"));
    let by = [("AWS_ENDPOINT_URL_STS", "http://sts.invalid"), (by.0, by.1.as_str()), past];
    done(&team, &[&identity[..], &by[..]].concat());
    assert_eq!(proxy.requests(), ["POST http://sts.invalid/ HTTP/1.1"]);

    for unset in ["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE"] {
        let ran = ran(&team, &[&identity[..], &[(unset, "")]].concat());
        assert_eq!(ran.code, Some(12), "{ran}");
        assert_eq!(ran.stderr.contains("AWS_ROLE_ARN is not"), unset == "AWS_ROLE_ARN", "{ran}");
    }
    let absent = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token"), identity[1], identity[2]];
    let ran = ran(&team, &absent);
    assert!(ran.code == Some(12) && ran.stderr.contains("/nowhere/token"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_assumes_a_role() {
    let (team, sts) = (Team::new().await, Answers::start(vec![("RoleArn=", xml("AssumeRole"))]).await);
    let config = "[profile ci]\nrole_arn = arn:aws:iam::111122223333:role/ci\nsource_profile = base\n\
                  [profile base]\naws_access_key_id = a\naws_secret_access_key = b\n";
    team.sandbox.write(".aws/config", config);
    let endpoints = [("AWS_ENDPOINT_URL_STS", sts.url()), ("AWS_ENDPOINT_URL_S3", team.fake.endpoint.clone())];
    let endpoints = endpoints.each_ref().map(|(name, url)| (*name, url.as_str()));
    done(&team, &[&endpoints[..], &[("AWS_PROFILE", "ci")]].concat());
    assert!(sts.requests()[0].contains("Action=AssumeRole&"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gives_keys_by_the_proxy_if_need_be() {
    let keys = format!(
        "{{\"roleCredentials\":{{\"accessKeyId\":\"{ACCESS_KEY}\",\"secretAccessKey\":\"{SECRET_KEY}\",\
         \"sessionToken\":\"t\",\"expiration\":4070908800000}}}}"
    );
    let (team, sso) = (Team::new().await, Answers::start(vec![("/federation/credentials", keys)]).await);
    let proxy = Proxy::to(&sso.url()).await;
    let config = "[profile me]\nsso_session = team\nsso_account_id = 111122223333\nsso_role_name = dev\n\
                  [sso-session team]\nsso_region = eu-north-1\nsso_start_url = https://team.example/start\n";
    team.sandbox.write(".aws/config", config);
    let settings = [
        ("AWS_PROFILE", "me"),
        ("AWS_ENDPOINT_URL_S3", &team.fake.endpoint),
        ("AWS_ENDPOINT_URL_SSO", "http://sso.invalid"),
        ("HTTP_PROXY", &proxy.url()),
        ("NO_PROXY", "127.0.0.1"),
    ];
    let nobody = ran(&team, &settings);
    assert!(nobody.code == Some(12) && nobody.stderr.contains("aws sso login"), "{nobody}");
    let token = format!("{{\"accessToken\":\"signed-in\",\"expiresAt\":\"{EXPIRY}\"}}");
    // The name is the SHA-1 of the session's.
    team.sandbox.write(".aws/sso/cache/d25187dc137f35c88bc80ec8c3ffbdb17b5eb873.json", token);
    done(&team, &settings);
    assert!(sso.requests()[0].contains("x-amz-sso_bearer_token: signed-in"), "{:?}", sso.requests());
    assert_eq!(proxy.requests().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_container_is_asked_straight() {
    let (team, container) = (Team::new().await, Answers::start(vec![("GET /role", json())]).await);
    let url = format!("{}/role", container.url());
    let s3 = team.fake.endpoint.trim_start_matches("http://");
    let proxied = [("HTTP_PROXY", DEAD), ("NO_PROXY", s3), ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "secret")];
    done(&team, &[&proxied[..], &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url)]].concat());
    assert!(container.requests()[0].contains("authorization: secret"), "{:?}", container.requests());
    let role = "[profile task]\nrole_arn = arn:aws:iam::1:role/r\ncredential_source = EcsContainer\n";
    team.sandbox.write(".aws/config", role);
    let sts = Answers::start(vec![("RoleArn=", xml("AssumeRole"))]).await;
    let past = format!("{s3},{}", sts.address);
    let settings = [
        ("AWS_PROFILE", "task"),
        ("AWS_ENDPOINT_URL_STS", &sts.url()),
        ("AWS_ENDPOINT_URL_S3", &team.fake.endpoint),
        ("HTTP_PROXY", DEAD),
        ("NO_PROXY", &past),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &url),
    ];
    done(&team, &settings);
    assert_eq!((container.requests().len(), sts.requests().len()), (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_is_asked_straight_where_somebody_says_where_it_is() {
    const ROLES: &str = "GET /latest/meta-data/iam/security-credentials/ ";
    let known = vec![
        ("PUT /latest/api/token", "token".to_owned()),
        (ROLES, "builder".to_owned()),
        ("GET /latest/meta-data/iam/security-credentials/builder", json()),
    ];
    let (team, instance) = (Team::new().await, Answers::start(known).await);
    let s3 = team.fake.endpoint.trim_start_matches("http://");
    let settings = [("HTTP_PROXY", DEAD), ("NO_PROXY", s3), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &instance.url())];
    done(&team, &settings);
    team.sandbox.write(".aws/config", format!("[default]\nec2_metadata_service_endpoint = {}\n", instance.url()));
    done(&team, &settings[..2]);
    let asked = instance.requests().len();
    assert!(asked >= 6, "{:?}", instance.requests());
    let ran = ran(&team, &[&settings[..], &[("AWS_EC2_METADATA_DISABLED", "true")]].concat());
    assert_eq!(ran.code, Some(12), "{ran}");
    assert_eq!(instance.requests().len(), asked);
}
