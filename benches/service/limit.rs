//! How fast a service is when nothing but sockets asks it: what no program that is compared can beat.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::Instant;

const MIB: usize = 1 << 20;
const PART: usize = 8 * MIB;
const PARTS: usize = 64;
const REQUESTS: usize = 2000;

/// Asks as many at once as a service is asked by a busy program.
const ABREAST: usize = 8;

/// Prints what the service at `host:port` does: requests a second, and MiB a second each way.
pub fn limit(address: &str) {
    let small = requests(address, REQUESTS, |line, number| ask(line, "PUT", number, &[b'x'; 64]));
    let gets = requests(address, REQUESTS, |line, number| ask(line, "GET", number, b""));
    let part = vec![b'x'; PART];
    let up = requests(address, PARTS / ABREAST, |line, number| ask(line, "PUT", number, &part));
    let down = requests(address, PARTS / ABREAST, |line, number| ask(line, "GET", number, b""));
    let rate = |seconds: f64| (PARTS * PART / MIB) as f64 / seconds;
    let each = |seconds: f64| (REQUESTS * ABREAST) as f64 / seconds;
    println!(
        "{{\"put_per_s\": {:.0}, \"get_per_s\": {:.0}, \"up_mib_s\": {:.0}, \"down_mib_s\": {:.0}}}",
        each(small),
        each(gets),
        rate(up),
        rate(down)
    );
}

/// Returns how many seconds it takes to make so many requests on each of several connections.
fn requests(address: &str, count: usize, ask: impl Fn(&mut TcpStream, usize) + Sync) -> f64 {
    let begun = Instant::now();
    thread::scope(|scope| {
        for lane in 0..ABREAST {
            let ask = &ask;
            scope.spawn(move || {
                let mut line = TcpStream::connect(address).expect("the service listens");
                line.set_nodelay(true).expect("a socket");
                (0..count).for_each(|number| ask(&mut line, lane * 8 + number % 8));
            });
        }
    });
    begun.elapsed().as_secs_f64()
}

/// Makes one request and reads its answer to the end.
fn ask(line: &mut TcpStream, method: &str, number: usize, body: &[u8]) {
    let head = format!(
        "{method} /limit/{number} HTTP/1.1\r\nhost: localhost\r\nx-amz-content-sha256: UNSIGNED-PAYLOAD\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    line.write_all(head.as_bytes()).expect("the service reads");
    line.write_all(body).expect("the service reads");
    let mut buffer = vec![0; 256 << 10];
    let (mut had, mut wanted) = (0, None);
    while wanted.is_none_or(|wanted| had < wanted) {
        let read = line.read(&mut buffer).expect("the service answers");
        assert!(read > 0, "the service hung up");
        if wanted.is_none() {
            let text = String::from_utf8_lossy(&buffer[..read]).to_ascii_lowercase();
            let head = text.find("\r\n\r\n").expect("a head in one piece") + 4;
            let length = text.split("content-length: ").nth(1).and_then(|rest| rest.split('\r').next()?.parse().ok());
            wanted = Some(head + length.unwrap_or(0));
        }
        had += read;
    }
}
