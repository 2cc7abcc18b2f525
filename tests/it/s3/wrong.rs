//! What is asked in the wrong place or the wrong way, by the real binary: each has its exit code, its words and its hint, and an end.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::fake::authority::Authority;
use crate::fake::proxy::Proxy;
use crate::sandbox::Ran;

use super::program::Team;

/// How long whoever asks waits, and how much longer it may take to start and to end.
const PATIENCE: Duration = Duration::from_secs(2);
const MORE: Duration = Duration::from_secs(2);

/// Asks the store something with other variables, and is told what is wrong with these words, in time.
fn told(team: &Team, variables: &[(&str, &str)], code: i32, words: &[&str]) -> Ran {
    let since = Instant::now();
    let mut command = team.command(&["--timeout", "2s", "stub", "--dry-run"]);
    for (name, value) in variables {
        if value.is_empty() {
            command.env_remove(name);
        } else {
            command.env(name, value);
        }
    }
    let ran = team.run_as(&mut command);
    assert!(since.elapsed() < PATIENCE + MORE, "{variables:?} after {:?}: {ran}", since.elapsed());
    assert_eq!(ran.code, Some(code), "{variables:?}: {ran}");
    for word in words {
        assert!(ran.stderr.contains(word), "{variables:?} without {word:?}: {ran}");
    }
    if std::env::var_os("METALOGIC_FAULTS").is_some() {
        println!("{variables:?}\n{ran}");
    }
    ran
}

/// Takes connections, says something, and nothing more.
async fn listener(says: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        loop {
            let Ok((mut stream, _)) = listener.accept().await else { continue };
            tokio::spawn(async move {
                drop(stream.write_all(says).await);
                let mut rest = Vec::new();
                drop(stream.read_to_end(&mut rest).await);
            });
        }
    });
    address
}

fn endpoint(url: &str) -> [(&str, &str); 1] {
    [("AWS_ENDPOINT_URL", url)]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_where_no_s3_is_is_told() {
    let team = Team::new().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{nobody}");
    told(&team, &endpoint(&nobody), 10, &["cannot be reached", "nobody listens there", &nobody, "AWS_ENDPOINT_URL"]);
    // No name may be that long, so that nobody is asked for it.
    let nameless = format!("http://{}", "x".repeat(70));
    told(&team, &endpoint(&nameless), 10, &["its name has no address", "AWS_ENDPOINT_URL"]);
    let mail = format!("http://{}", listener(b"220 mail.example ESMTP\r\n").await);
    told(&team, &endpoint(&mail), 12, &["is no S3", &mail]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_says_nothing_is_given_up_in_time() {
    let (team, silent) = (Team::new().await, listener(b"").await);
    let url = format!("http://{silent}");
    told(&team, &endpoint(&url), 10, &["waited for in vain", "nothing has moved for 2s", &url, "--timeout"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_says_nothing_is_given_up_in_time() {
    let (team, silent) = (Team::new().await, listener(b"").await);
    let url = format!("https://{silent}");
    told(&team, &endpoint(&url), 10, &[&url, "check the network"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_says_nothing_is_given_up_in_time() {
    let (team, silent) = (Team::new().await, listener(b"").await);
    let proxy = format!("http://user:hush@{silent}");
    let variables = [("AWS_ENDPOINT_URL", "https://storage.invalid"), ("HTTPS_PROXY", &proxy)];
    let ran = told(&team, &variables, 10, &["by the proxy", &silent, "HTTPS_PROXY"]);
    assert!(!ran.stderr.contains("hush"), "{ran}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_of_credentials_that_says_nothing_is_given_up_in_time() {
    let (team, silent) = (Team::new().await, listener(b"").await);
    let uri = format!("http://{silent}/credentials");
    let variables =
        [("AWS_ACCESS_KEY_ID", ""), ("AWS_SECRET_ACCESS_KEY", ""), ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &uri)];
    told(&team, &variables, 12, &["no credentials", "what should give them says nothing"]);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_nobody_takes_is_given_up_in_time() {
    let team = Team::new().await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    // Nobody accepts, so that the queue is full at some time.
    while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
        waiting.push(stream.unwrap());
        assert!(waiting.len() < 100);
    }
    let url = format!("http://{address}");
    told(&team, &endpoint(&url), 10, &[&url, "check the network"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_certificate_is_told() {
    let (team, authority) = (Team::new().await, Authority::new("Example Authority"));
    team.sandbox.write("authority.pem", &authority.pem);
    let bundle = team.sandbox.path("authority.pem").to_str().unwrap().to_owned();
    let over = |address: std::net::SocketAddr| format!("https://{address}");
    let front = authority.before(&team.fake.endpoint, &["127.0.0.1"]).await;
    told(&team, &endpoint(&over(front.address)), 12, &["is not trusted", "AWS_CA_BUNDLE"]);
    let trusting = |url: &str| [("AWS_ENDPOINT_URL", url.to_owned()), ("AWS_CA_BUNDLE", bundle.clone())];
    let check = |url: String, code, words: &[&str]| {
        let variables = trusting(&url);
        told(&team, &variables.each_ref().map(|(name, value)| (*name, value.as_str())), code, words);
    };
    check(over(front.address), 0, &[]);
    let other = authority.before(&team.fake.endpoint, &["storage.example"]).await;
    check(over(other.address), 12, &["is for another name", "storage.example"]);
    let old = authority.before_until(&team.fake.endpoint, &["127.0.0.1"], 2020).await;
    check(over(old.address), 12, &["is not valid now", "expired", "renew"]);
    // The one who speaks plainly where TLS is expected, and the other way round.
    check(team.fake.endpoint.replace("http:", "https:"), 12, &["does not speak TLS", "http:// instead of https://"]);
    check(over(front.address).replace("https:", "http:"), 12, &["is no S3", "https or http"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_refuses_is_told_as_the_one_who_does() {
    let team = Team::new().await;
    for (status, words) in [(403, "refuses to connect"), (407, "wants to know who asks (407)")] {
        let proxy = Proxy::with(&team.fake.endpoint, None, Some(status)).await;
        let url = proxy.url().replace("://", "://user:hush@");
        let by = |scheme: &str, variable| {
            let endpoint = format!("{scheme}://storage.invalid:9000");
            told(&team, &[("AWS_ENDPOINT_URL", &endpoint), (variable, &url)], 12, &["the proxy does not let", variable])
        };
        let ran = by("https", "HTTPS_PROXY");
        assert!(ran.stderr.contains(words) && !ran.stderr.contains("hush"), "{ran}");
        let asked = proxy.requests().len();
        // A refusal may be over in a moment, and another may not.
        assert_eq!(asked, if status == 407 { 1 } else { 3 });
        let ran = by("http", "HTTP_PROXY");
        assert!(!ran.stderr.contains("hush"), "{ran}");
        // Another answer would be no other.
        assert_eq!(proxy.requests().len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn why_there_are_no_credentials_is_told() {
    let team = Team::new().await;
    let config = "[profile broken]\ncredential_process = sh -c 'echo the vault is sealed >&2; exit 3'\n\
                  [profile chained]\nrole_arn = arn:aws:iam::123456789012:role/x\nsource_profile = gone\n\
                  [profile login]\nsso_start_url = https://example.awsapps.com/start\nsso_region = eu-north-1\n\
                  sso_account_id = 123456789012\nsso_role_name = deploy\n";
    team.sandbox.write("aws/config", config);
    let file = team.sandbox.path("aws/config").to_str().unwrap().to_owned();
    let by = |profile: &str, words: &[&str]| {
        let variables = [
            ("AWS_ACCESS_KEY_ID", ""),
            ("AWS_SECRET_ACCESS_KEY", ""),
            ("AWS_CONFIG_FILE", file.as_str()),
            ("AWS_PROFILE", profile),
        ];
        told(&team, &variables, 12, words);
    };
    by("broken", &["no credentials", "the vault is sealed", "get-caller-identity"]);
    by("chained", &["no credentials", "gone", "AWS_PROFILE"]);
    by("login", &["no credentials", "aws sso login"]);
    by("absent", &["absent", "AWS_PROFILE"]);
    by("", &["no credentials", "AWS_ACCESS_KEY_ID"]);
}
