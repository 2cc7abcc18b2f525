//! What `benches/peers.py` measures with: an S3 service in memory that is not the bottleneck, with round trips, counts and refusals to
//! order, and the means to run a program and say what it used.
//!
//! `serve` prints two addresses, the service's and its control's, and ends when its standard input does.

#![allow(
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    missing_docs,
    unreachable_pub
)]

mod answer;
mod chunked;
mod control;
mod limit;
mod line;
mod measure;
mod rope;
mod shelf;
mod tally;

use std::io;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use answer::Service;
use control::Control;
use line::Line;
use shelf::Shelf;
use tally::Tally;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["serve"] => serve().expect("a free port"),
        ["limit", address] => limit::limit(address),
        ["measure", file, "--", ..] => return measure::measure(file, &arguments[3..]),
        _ => {
            eprintln!("usage: service serve | limit HOST:PORT | measure FILE -- PROGRAM [ARGUMENT]...");
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

#[tokio::main]
async fn serve() -> io::Result<()> {
    let (shelf, tally) = (Arc::new(Mutex::new(Shelf::default())), Arc::new(Tally::new()));
    let service = Arc::new(Service { shelf: Arc::clone(&shelf), tally: Arc::clone(&tally) });
    let control = Arc::new(Control { shelf, tally: Arc::clone(&tally) });
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let controls = TcpListener::bind("127.0.0.1:0").await?;
    println!("{} {}", listener.local_addr()?, controls.local_addr()?);

    tokio::spawn(listen(listener, service, tally));
    tokio::spawn(async move {
        while let Ok((stream, _)) = controls.accept().await {
            let control = Arc::clone(&control);
            let answer = service_fn(move |request| {
                let control = Arc::clone(&control);
                async move { control.answer(request).await }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
        }
    });
    // Whoever started this is gone when the pipe is.
    tokio::task::spawn_blocking(|| io::copy(&mut io::stdin(), &mut io::sink())).await??;
    std::process::exit(0)
}

async fn listen(listener: TcpListener, service: Arc<Service>, tally: Arc<Tally>) {
    while let Ok((stream, _)) = listener.accept().await {
        tally.connection();
        drop(stream.set_nodelay(true));
        let service = Arc::clone(&service);
        let answer = service_fn(move |request| {
            let service = Arc::clone(&service);
            async move { service.answer(request).await }
        });
        let http = http1::Builder::new();
        match tally.round_trip() {
            Duration::ZERO => drop(tokio::spawn(http.serve_connection(TokioIo::new(stream), answer))),
            round_trip => {
                drop(tokio::spawn(http.serve_connection(TokioIo::new(Line::new(stream, round_trip)), answer)));
            }
        }
    }
}
