//! The settings of the AWS CLI, by the real binary: proxies, authorities, retries, endpoints.

use std::process::Command;

use crate::fake::authority::Authority;
use crate::fake::proxy::Proxy;
use crate::fake::{BUCKET, Fault};
use crate::sandbox::Ran;

use super::program::Team;
use super::{INTERNAL, error};

/// A host that no name server knows: what reaches it went by a proxy.
const HOST: &str = "storage.invalid";

/// Returns a command that asks the store a few things and writes one.
fn stub(team: &Team) -> Command {
    team.command(&["--timeout", "5s", "stub"])
}

fn ran(team: &Team, variables: &[(&str, &str)]) -> Ran {
    team.run_as(stub(team).envs(variables.iter().copied()))
}

fn done(team: &Team, variables: &[(&str, &str)]) {
    let ran = ran(team, variables);
    assert_eq!(ran.code, Some(0), "{variables:?}: {ran}");
}

/// A setting that makes no sense: exit code 12, these words, and no request.
fn refused(team: &Team, variables: &[(&str, &str)], words: &[&str]) {
    team.fake.requests();
    let ran = ran(team, variables);
    assert_eq!(ran.code, Some(12), "{variables:?}: {ran}");
    for word in words {
        assert!(ran.stderr.contains(word), "{variables:?} without {word:?}: {ran}");
    }
    assert!(team.fake.requests().is_empty(), "{variables:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_http_endpoint_is_reached_by_its_proxy() {
    let team = Team::new().await;
    let (proxy, dead) = (Proxy::to(&team.fake.endpoint).await, "http://127.0.0.1:9");
    let endpoint = format!("http://{HOST}:9000");
    done(&team, &[("AWS_ENDPOINT_URL", &endpoint), ("HTTP_PROXY", &proxy.url()), ("HTTPS_PROXY", dead)]);
    let (proxied, answered) = (proxy.requests(), team.fake.requests());
    assert!(answered.len() > 1);
    assert_eq!(proxied.len(), answered.len());
    for line in proxied {
        assert!(line.contains(&format!(" {endpoint}/{BUCKET}")), "{line}");
    }
    // A host alone is a proxy that speaks plain HTTP, and the name in lower case wins.
    let host = proxy.address.to_string();
    done(&team, &[("AWS_ENDPOINT_URL", &endpoint), ("HTTP_PROXY", dead), ("http_proxy", &host)]);
    assert!(!proxy.requests().is_empty());
    let direct = team.fake.endpoint.clone();
    done(&team, &[("AWS_ENDPOINT_URL", &direct), ("HTTP_PROXY", dead), ("http_proxy", "")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_https_endpoint_is_reached_by_its_proxy() {
    let (team, authority) = (Team::new().await, Authority::new("the company"));
    let front = authority.before(&team.fake.endpoint, &[HOST]).await;
    let (proxy, dead) = (Proxy::to(&front.address.to_string()).await, "http://127.0.0.1:9");
    team.sandbox.write("ca.pem", &authority.pem);
    let endpoint = format!("https://{HOST}:9443");
    let bundle = team.sandbox.path("ca.pem");
    let trusted = ("AWS_CA_BUNDLE", bundle.to_str().unwrap());
    done(&team, &[("AWS_ENDPOINT_URL", &endpoint), ("HTTPS_PROXY", &proxy.url()), ("HTTP_PROXY", dead), trusted]);
    let lines = proxy.requests();
    assert!(!lines.is_empty());
    assert!(lines.iter().all(|line| *line == format!("CONNECT {HOST}:9443 HTTP/1.1")), "{lines:?}");
    assert!(!team.fake.requests().is_empty());
    // Somebody else between the two is seen.
    let stranger = Authority::new("a stranger").before(&team.fake.endpoint, &[HOST]).await;
    let proxy = Proxy::to(&stranger.address.to_string()).await;
    let once = ("AWS_MAX_ATTEMPTS", "1");
    let ran = ran(&team, &[("AWS_ENDPOINT_URL", &endpoint), ("HTTPS_PROXY", &proxy.url()), trusted, once]);
    assert!(ran.code != Some(0) && !proxy.requests().is_empty(), "{ran}");
    assert!(team.fake.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_proxy_names_is_reached_straight() {
    let team = Team::new().await;
    let proxy = Proxy::to(&team.fake.endpoint).await;
    let port = team.fake.endpoint.rsplit(':').next().unwrap().to_owned();
    let with_port = format!("x, 127.0.0.1:{port}");
    let local = format!("http://localhost:{port}");
    let direct = [
        (&team.fake.endpoint, "*"),
        (&team.fake.endpoint, "example.org, 127.0.0.1"),
        (&team.fake.endpoint, with_port.as_str()),
        (&team.fake.endpoint, "10.0.0.0/8,127.0.0.0/8"),
        (&local, "LOCALHOST"),
        (&local, ".localhost"),
        (&local, "*.localhost"),
    ];
    let proxied = [
        (&team.fake.endpoint, ""),
        (&team.fake.endpoint, "127.0.0.1:9,10.0.0.0/8,0.0.1,127.0.0.0/33,::/0"),
        (&local, "ocalhost,host,localhost.org,127.0.0.1,my.localhost"),
    ];
    let cases = direct.into_iter().map(|case| (case, false)).chain(proxied.into_iter().map(|case| (case, true)));
    for ((endpoint, exceptions), expected) in cases {
        done(&team, &[("AWS_ENDPOINT_URL", endpoint), ("HTTP_PROXY", &proxy.url()), ("NO_PROXY", exceptions)]);
        assert_eq!(!proxy.requests().is_empty(), expected, "{exceptions:?}");
        assert!(!team.fake.requests().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_wants_a_password_gets_the_one_of_its_url() {
    const ADA: &str = "Basic YWRhOnNAY3J0";
    let (team, authority) = (Team::new().await, Authority::new("the company"));
    let front = authority.before(&team.fake.endpoint, &[HOST]).await;
    team.sandbox.write("ca.pem", &authority.pem);
    let bundle = team.sandbox.path("ca.pem");
    let (plain, secret) = (team.fake.endpoint.clone(), front.address.to_string());
    for (target, variable, scheme) in [(plain, "http_proxy", "http"), (secret, "HTTPS_PROXY", "https")] {
        let proxy = Proxy::with(&target, Some(ADA), None).await;
        let endpoint = format!("{scheme}://{HOST}:9000");
        let settings = |user: &str| {
            let url = format!("http://{user}{}", proxy.address);
            let mut command = stub(&team);
            command.env("AWS_MAX_ATTEMPTS", "1");
            command.env("AWS_ENDPOINT_URL", &endpoint).env(variable, url).env("AWS_CA_BUNDLE", &bundle);
            team.run_as(&mut command)
        };
        for user in ["ada:s%40crt@", "ada:s@crt@"] {
            assert_eq!(settings(user).code, Some(0), "{scheme}");
        }
        assert!(!team.fake.requests().is_empty());
        let ran = settings("ada:wrong@");
        assert!(ran.code != Some(0) && !ran.stderr.contains("wrong"), "{ran}");
        assert!(team.fake.requests().is_empty());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_nobody_answers_at_is_named_without_its_password() {
    let team = Team::new().await;
    let dead = [("http", "HTTP_PROXY"), ("https", "https_proxy")];
    for (scheme, variable) in dead {
        let endpoint = format!("{scheme}://{HOST}");
        let dead = (variable, "http://ada:hunter2@127.0.0.1:9");
        let settings = [("AWS_ENDPOINT_URL", endpoint.as_str()), dead, ("AWS_MAX_ATTEMPTS", "1")];
        let ran = ran(&team, &settings);
        assert_eq!(ran.code, Some(10), "{ran}");
        assert!(ran.stderr.contains(&format!("by the proxy http://127.0.0.1:9 of {variable}")), "{ran}");
        assert!(!ran.stderr.contains("hunter2"), "{ran}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_that_is_none_is_refused() {
    let team = Team::new().await;
    team.sandbox.write(".aws/config", "[profile odd]\nregion = eu_north\n");
    refused(&team, &[("AWS_REGION", "eu north 1")], &["AWS_REGION is \"eu north 1\""]);
    refused(&team, &[("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "-")], &["AWS_DEFAULT_REGION is"]);
    refused(&team, &[("AWS_REGION", ""), ("AWS_PROFILE", "odd")], &["region in the AWS profile odd is \"eu_north\""]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_is_no_url_is_refused_without_its_password() {
    let team = Team::new().await;
    for value in
        ["http://", "socks5://hunter2@h:1", "http://ada:hunter2@h:port", "http://h h", "http://ada:hunter2@", "höst"]
    {
        for variable in ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"] {
            let ran = ran(&team, &[(variable, value)]);
            assert_eq!(ran.code, Some(12), "{variable}={value}: {ran}");
            assert!(ran.stderr.contains(variable) && !ran.stderr.contains("hunter2"), "{ran}");
        }
    }
    assert!(team.fake.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundle_of_authorities_replaces_those_of_the_system() {
    let (team, authority) = (Team::new().await, Authority::new("the company"));
    let front = authority.before(&team.fake.endpoint, &["localhost", "127.0.0.1"]).await;
    let other = Authority::new("another company").pem;
    team.sandbox.write("ca.pem", &authority.pem);
    team.sandbox.write("both.pem", format!("Two of them:\n{other}\n{}", authority.pem));
    team.sandbox.write("other.pem", &other);
    team.sandbox.write(".aws/config", "[default]\nca_bundle = ../ca.pem\n[profile other]\nca_bundle = ../other.pem\n");
    let path = |name: &str| team.sandbox.path(name).to_str().unwrap().to_owned();
    let port = front.address.port();
    let (endpoint, address) = (format!("https://localhost:{port}"), format!("https://127.0.0.1:{port}"));
    let endpoint = ("AWS_ENDPOINT_URL", endpoint.as_str());
    done(&team, &[("AWS_ENDPOINT_URL", &address), ("AWS_CA_BUNDLE", &path("ca.pem")), ("AWS_PROFILE", "other")]);
    done(&team, &[endpoint, ("AWS_CA_BUNDLE", &path("both.pem")), ("AWS_PROFILE", "other")]);
    done(&team, &[endpoint]);
    // What stands for the system's own counts where nothing else is said, and only there.
    let (nobody, systems, once) = (path("nobody"), path("ca.pem"), ("AWS_MAX_ATTEMPTS", "1"));
    let system = ("SSL_CERT_FILE", systems.as_str());
    done(&team, &[endpoint, system, ("HOME", &nobody)]);
    team.fake.requests();
    for untrusted in [("AWS_PROFILE", "other"), ("AWS_CA_BUNDLE", &path("other.pem"))] {
        let ran = ran(&team, &[endpoint, system, once, untrusted]);
        assert!(ran.code != Some(0) && ran.stderr.contains("certificate"), "{ran}");
    }
    let ran = ran(&team, &[endpoint, once, ("HOME", &nobody)]);
    assert!(ran.code != Some(0) && ran.stderr.contains("certificate"), "{ran}");
    assert!(team.fake.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_is_none_is_refused() {
    let team = Team::new().await;
    let good = Authority::new("the company").pem;
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let garbled = "-----BEGIN CERTIFICATE-----\n%%%%\n-----END CERTIFICATE-----\n";
    team.sandbox.write("empty.pem", "");
    team.sandbox.write("text.pem", "certificates");
    team.sandbox.write("key.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    team.sandbox.write("broken.pem", format!("{good}{broken}"));
    team.sandbox.write("garbled.pem", format!("{good}{garbled}"));
    team.sandbox.write("bytes.pem", [0xff; 100]);
    team.sandbox.write(".aws/config", "[profile odd]\nca_bundle = /nowhere/ca.pem\n");
    let cases = [
        ("absent.pem", "cannot be read"),
        ("repo", "cannot be read"),
        ("empty.pem", "no certificate"),
        ("text.pem", "no certificate"),
        ("key.pem", "no certificate"),
        ("bytes.pem", "no certificate"),
        ("broken.pem", "certificate 2"),
        ("garbled.pem", "certificate 2"),
    ];
    for (file, words) in cases {
        let path = team.sandbox.path(file);
        refused(&team, &[("AWS_CA_BUNDLE", path.to_str().unwrap())], &["AWS_CA_BUNDLE", file, words]);
    }
    refused(&team, &[("AWS_PROFILE", "odd")], &["ca_bundle in the AWS profile odd", "/nowhere/ca.pem"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_tried_as_often_as_the_settings_say() {
    let team = Team::new().await;
    team.sandbox.write(".aws/config", "[profile once]\nmax_attempts = 1\nretry_mode = legacy\n");
    team.fake.fault(Fault { about: vec![], times: 9999, act: error(500, INTERNAL) });
    let cases: [(&[(&str, &str)], usize); 5] = [
        (&[], 3),
        (&[("AWS_MAX_ATTEMPTS", "1")], 1),
        (&[("AWS_MAX_ATTEMPTS", "4"), ("AWS_PROFILE", "once"), ("AWS_RETRY_MODE", "adaptive")], 4),
        (&[("AWS_PROFILE", "once")], 1),
        (&[("AWS_MAX_ATTEMPTS", ""), ("AWS_RETRY_MODE", "")], 3),
    ];
    for (variables, expected) in cases {
        team.fake.requests();
        let ran = team.run_as(team.command(&["stub"]).envs(variables.iter().copied()));
        assert_eq!(ran.code, Some(10), "{ran}");
        let requests = team.fake.requests();
        let first = requests.iter().filter(|line| **line == requests[0]).count();
        assert_eq!(first, expected, "{variables:?}: {requests:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_tries_that_is_none_is_refused() {
    let team = Team::new().await;
    team.sandbox.write(".aws/config", "[profile odd]\nmax_attempts = many\n[profile eager]\nretry_mode = eager\n");
    for value in ["0", "-1", "many", "1.5"] {
        refused(&team, &[("AWS_MAX_ATTEMPTS", value)], &["AWS_MAX_ATTEMPTS", value]);
    }
    refused(&team, &[("AWS_RETRY_MODE", "eager")], &["AWS_RETRY_MODE", "eager"]);
    refused(&team, &[("AWS_PROFILE", "odd")], &["max_attempts in the AWS profile odd", "many"]);
    refused(&team, &[("AWS_PROFILE", "eager")], &["retry_mode in the AWS profile eager"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_endpoint_is_the_one_that_the_aws_cli_would_take() {
    let team = Team::new().await;
    let (good, dead) = (team.fake.endpoint.clone(), "http://127.0.0.1:9");
    let config = format!(
        "[default]\n[profile all]\nendpoint_url = {good}\n[profile of-s3]\nendpoint_url = {dead}\nservices = ours\n\
         [services ours]\ns3 =\n  endpoint_url = {good}\n[profile ignoring]\nignore_configured_endpoint_urls = true\n"
    );
    team.sandbox.write(".aws/config", config);
    done(&team, &[("AWS_ENDPOINT_URL", ""), ("AWS_PROFILE", "all")]);
    done(&team, &[("AWS_ENDPOINT_URL", dead), ("AWS_ENDPOINT_URL_S3", &good)]);
    done(&team, &[("AWS_ENDPOINT_URL", &good), ("AWS_ENDPOINT_URL_S3", ""), ("AWS_PROFILE", "")]);
    let mut command = stub(&team);
    let answer = team.run_as(command.env_remove("AWS_ENDPOINT_URL").env("AWS_PROFILE", "of-s3"));
    assert_eq!(answer.code, Some(0), "{answer}");
    assert!(team.fake.requests().iter().all(|line| line.contains(BUCKET)), "a bucket is in the path");
    // Where endpoints are ignored, the request is for AWS itself, and the proxy sees so.
    let proxy = Proxy::with(&good, None, Some(403)).await;
    let url = proxy.url();
    for ignoring in [("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"), ("AWS_PROFILE", "ignoring")] {
        let settings = [("AWS_ENDPOINT_URL", dead), ("HTTPS_PROXY", &url), ("AWS_MAX_ATTEMPTS", "1"), ignoring];
        let ran = ran(&team, &settings);
        assert_ne!(ran.code, Some(0), "{ran}");
        let line = proxy.requests().remove(0);
        assert!(line.contains(&format!("CONNECT {BUCKET}.s3.")), "{line}");
    }
    team.sandbox.write(".aws/config", "[default]\ns3 =\n  max_concurrent_requests = 20\n  addressing_style = path\n");
    let mut command = stub(&team);
    command.env_remove("AWS_ENDPOINT_URL").env("HTTPS_PROXY", &url).env("AWS_MAX_ATTEMPTS", "1");
    team.run_as(&mut command);
    let line = proxy.requests().remove(0);
    assert!(line.contains("CONNECT s3."), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_no_url_is_refused() {
    let team = Team::new().await;
    team.sandbox.write(".aws/config", "[profile odd]\nendpoint_url = minio:9000\n");
    for value in ["minio:9000", "localhost", "http://", "ftp://h", "https:/h"] {
        refused(&team, &[("AWS_ENDPOINT_URL", value)], &["AWS_ENDPOINT_URL is", value]);
        refused(&team, &[("AWS_ENDPOINT_URL_S3", value)], &["AWS_ENDPOINT_URL_S3 is", value]);
    }
    let mut command = stub(&team);
    let ran = team.run_as(command.env_remove("AWS_ENDPOINT_URL").env("AWS_PROFILE", "odd"));
    assert!(ran.code == Some(12) && ran.stderr.contains("endpoint_url in the AWS profile odd"), "{ran}");
}
