//! A server that knows a few answers by heart: for those who give credentials.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::proxy::head;

/// What is answered to requests whose head or body has this in it: the first that fits counts, and nothing is a 404.
pub type Known = Vec<(&'static str, String)>;

/// What is answered, whatever is asked: one after the other, and the last again and again. A status of 0 stands for no answer at all.
pub type Turns = Vec<(u16, String)>;

enum Book {
    Known(Known),
    /// With the date that each answer has.
    Turns(Turns, Option<&'static str>),
}

impl Book {
    /// Returns the answer to a request, which is the one of this number.
    fn answer(&self, request: &str, number: usize) -> (u16, &str) {
        match self {
            Self::Known(known) => {
                let found = known.iter().find(|(word, _)| request.contains(word));
                found.map_or((404, ""), |(_, text)| (200, text.as_str()))
            }
            Self::Turns(turns, _) => {
                let (status, text) = &turns[number.min(turns.len() - 1)];
                (*status, text.as_str())
            }
        }
    }
}

/// A running server. It ends when this is dropped.
pub struct Answers {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<String>>>,
    server: tokio::task::JoinHandle<()>,
}

impl Answers {
    pub async fn start(known: Known) -> Self {
        Self::by(Book::Known(known)).await
    }

    pub async fn in_turn(turns: Turns, date: Option<&'static str>) -> Self {
        Self::by(Book::Turns(turns, date)).await
    }

    async fn by(book: Book) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (book, seen) = (Arc::new(book), Arc::clone(&requests));
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let (book, seen) = (Arc::clone(&book), Arc::clone(&seen));
                connections.spawn(async move { drop(answer(stream, &book, &seen).await) });
            }
        });
        Self { address, requests, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the requests that came, each with its headers and its body.
    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn answer(mut stream: TcpStream, book: &Book, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let (head, mut body) = head(&mut stream).await?;
    let length = head.to_ascii_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
    let length: usize = length.unwrap_or(0);
    let had = body.len().min(length);
    body.resize(length, 0);
    stream.read_exact(&mut body[had..]).await?;
    let request = format!("{head}\r\n\r\n{}", String::from_utf8_lossy(&body));
    let number = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let (status, text) = book.answer(&request, number);
    if status == 0 {
        return std::future::pending().await;
    }
    let date = match book {
        Book::Turns(_, Some(date)) => format!("date: {date}\r\n"),
        Book::Turns(_, None) | Book::Known(_) => String::new(),
    };
    let head = format!(
        "HTTP/1.1 {status} As Told\r\ncontent-length: {}\r\ncontent-type: application/json\r\nconnection: close\r\n{date}\
         x-aws-ec2-metadata-token-ttl-seconds: 21600\r\n\r\n",
        text.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await
}
