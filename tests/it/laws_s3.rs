//! What holds for any answer to a listing, as the SDK reads it: a service on this machine gives the bytes.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use metalogic::registry::Terms;
use metalogic::store::Store as _;
use metalogic::store::s3::{Reach, S3Store};
use metalogic::words;
use tokio::runtime::Runtime;

use crate::laws::{COMMIT, expect_listing};

/// What is answered to whatever is asked.
static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Client {
    runtime: Runtime,
    store: S3Store,
}

static CLIENT: OnceLock<Mutex<Client>> = OnceLock::new();

fn client() -> Mutex<Client> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        listener.incoming().flatten().for_each(|stream| drop(std::thread::spawn(|| serve(stream))));
    });
    let word = || "word".to_owned();
    let reach = Reach { endpoint, region: "eu-north-1".to_owned(), access_key: word(), secret_key: word() };
    let store = S3Store::reached("dev-bucket", "", Duration::from_millis(500), Terms::default(), reach);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    Mutex::new(Client { runtime, store })
}

/// Answers each request of a connection.
fn serve(mut stream: TcpStream) {
    let (mut asked, mut piece) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = stream.read(&mut piece) {
        asked.extend_from_slice(&piece[..count]);
        if !asked.ends_with(b"\r\n\r\n") {
            continue;
        }
        asked.clear();
        let body = ANSWER.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let head =
            format!("HTTP/1.1 200 OK\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n", body.len());
        if stream.write_all(&[head.as_bytes(), &body].concat()).is_err() {
            return;
        }
    }
}

/// Whatever is answered to a listing has an end, and what it names are names.
pub fn listing_s3(bytes: &[u8]) {
    let client = CLIENT.get_or_init(client).lock().unwrap_or_else(PoisonError::into_inner);
    *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = bytes.to_vec();
    let commit = COMMIT.parse().unwrap();
    match client.runtime.block_on(client.store.list(commit)) {
        Ok(listing) => {
            expect_listing(&listing);
            assert!(listing.artifacts.len() + listing.odd.len() <= bytes.len());
        }
        Err(error) => {
            let told = words::chain(&error);
            assert!(told.len() < 2000 && !told.chars().any(char::is_control), "{told:?}");
        }
    }
}
