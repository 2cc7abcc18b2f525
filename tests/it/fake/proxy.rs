//! A forward proxy, as companies have them: `CONNECT` for https, whole URLs for http. All names lead to one place.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// A running proxy. It ends when this is dropped.
pub struct Proxy {
    pub address: SocketAddr,
    state: Arc<State>,
    server: tokio::task::JoinHandle<()>,
}

struct State {
    target: SocketAddr,
    /// What the header `Proxy-Authorization` has to be.
    authorization: Option<&'static str>,
    /// The status that it refuses everything with.
    refusal: Option<u16>,
    lines: Mutex<Vec<String>>,
}

impl Proxy {
    /// Begins to pass everything on to one place.
    pub async fn to(target: &str) -> Self {
        Self::with(target, None, None).await
    }

    pub async fn with(target: &str, authorization: Option<&'static str>, refusal: Option<u16>) -> Self {
        let target = target.split("://").last().unwrap().parse().unwrap();
        let state = Arc::new(State { target, authorization, refusal, lines: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::clone(&state));
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let state = Arc::clone(&shared);
                // A client may go away whenever it likes.
                connections.spawn(async move { drop(state.serve(stream).await) });
            }
        });
        Self { address, state, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the first lines of the requests that came, and forgets them. Those that try conditions do not count.
    pub fn requests(&self) -> Vec<String> {
        let lines = std::mem::take(&mut *self.state.lines.lock().unwrap());
        lines.into_iter().filter(|line| !line.contains("builds/.conditions")).collect()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl State {
    async fn serve(&self, mut client: TcpStream) -> io::Result<()> {
        let (head, rest) = head(&mut client).await?;
        let (line, headers) = head.split_once("\r\n").unwrap();
        self.lines.lock().unwrap().push(line.to_owned());
        let told = headers.lines().find_map(|header| {
            let (name, value) = header.split_once(": ")?;
            name.eq_ignore_ascii_case("proxy-authorization").then_some(value)
        });
        if self.authorization.is_some() && told != self.authorization {
            return refuse(client, "407 Proxy Authentication Required").await;
        }
        if let Some(status) = self.refusal {
            return refuse(client, &format!("{status} Refused")).await;
        }
        let mut words = line.split(' ');
        let (method, url) = (words.next().unwrap(), words.next().unwrap());
        let mut target = TcpStream::connect(self.target).await?;
        if method == "CONNECT" {
            client.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await?;
        } else {
            // One request a connection, so that each is seen here.
            let path = url.splitn(4, '/').nth(3).unwrap_or_default();
            let head = format!("{method} /{path} HTTP/1.1\r\nconnection: close\r\n{headers}\r\n\r\n");
            target.write_all(head.as_bytes()).await?;
        }
        target.write_all(&rest).await?;
        copy_bidirectional(&mut client, &mut target).await?;
        Ok(())
    }
}

/// Reads up to the empty line behind the headers; what came with it is what follows.
pub async fn head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            bytes.truncate(end);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        match stream.read(&mut buffer).await? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}

async fn refuse(mut client: TcpStream, status: &str) -> io::Result<()> {
    client.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    client.shutdown().await
}
