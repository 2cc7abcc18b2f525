//! A Parameter Store of this project's own, in this process: what GetParameter and PutParameter need of one, in every region.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

pub const REGION: &str = "eu-north-1";

/// A running service. It ends with the process.
pub struct ParameterStore {
    endpoint: String,
    kept: Arc<Mutex<Kept>>,
}

#[derive(Default)]
pub struct Kept {
    /// What each parameter says, by region and name.
    pub texts: BTreeMap<(String, String), String>,
    /// The regions that refuse to be read.
    pub unreadable: BTreeSet<String>,
    /// The regions that refuse to be written.
    pub unwritable: BTreeSet<String>,
    /// The requests that came, as `PutParameter eu-north-1 /startifact`.
    pub requests: Vec<String>,
}

impl ParameterStore {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let kept = Arc::<Mutex<Kept>>::default();
        let serving = Arc::clone(&kept);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let kept = Arc::clone(&serving);
                std::thread::spawn(move || drop(serve(stream.unwrap(), &kept)));
            }
        });
        Self { endpoint, kept }
    }

    pub fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn set(&self, region: &str, name: &str, text: &str) {
        self.kept().texts.insert((region.to_owned(), name.to_owned()), text.to_owned());
    }

    pub fn get(&self, region: &str, name: &str) -> Option<String> {
        self.kept().texts.get(&(region.to_owned(), name.to_owned())).cloned()
    }

    /// Returns the parameters that were written, as `eu-north-1 /startifact`.
    pub fn puts(&self) -> Vec<String> {
        let kept = self.kept();
        let puts = kept.requests.iter().filter_map(|request| request.strip_prefix("PutParameter "));
        puts.map(str::to_owned).collect()
    }

    /// Has a command use this service, with nothing else of AWS.
    pub fn reach<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .env("AWS_ENDPOINT_URL_SSM", &self.endpoint)
            .env("AWS_REGION", REGION)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "not-much-of-a-secret")
            .env("AWS_MAX_ATTEMPTS", "1")
            .env("NO_PROXY", "*")
    }
}

/// Answers the requests of one connection, as long as there are any.
fn serve(mut stream: TcpStream, kept: &Mutex<Kept>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    loop {
        let (mut headers, mut line) = (BTreeMap::new(), String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) => drop(headers.insert(name.to_ascii_lowercase(), value.to_owned())),
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        reader.read_exact(&mut body)?;
        let (status, answer) = answer(&headers, &serde_json::from_slice(&body)?, kept);
        let answer = answer.to_string();
        write!(
            stream,
            "HTTP/1.1 {status} X\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n{answer}",
            answer.len()
        )?;
    }
}

fn answer(headers: &BTreeMap<String, String>, asked: &Value, kept: &Mutex<Kept>) -> (u16, Value) {
    let operation = headers["x-amz-target"].strip_prefix("AmazonSSM.").unwrap();
    // AWS4-HMAC-SHA256 Credential=KEY/20260102/eu-north-1/ssm/aws4_request, ...
    let region = headers["authorization"].split('/').nth(2).unwrap().to_owned();
    let name = asked["Name"].as_str().unwrap().to_owned();
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.requests.push(format!("{operation} {region} {name}"));
    let refused = match operation {
        "GetParameter" => &kept.unreadable,
        "PutParameter" => &kept.unwritable,
        other => panic!("{other} needs more permissions than the article lists"),
    };
    if refused.contains(&region) {
        let message = format!("User: ada is not authorized to perform: ssm:{operation} on resource: {name}");
        return (400, json!({"__type": "AccessDeniedException", "message": message}));
    }
    if operation == "PutParameter" {
        assert_eq!((&asked["Type"], &asked["Overwrite"]), (&json!("String"), &json!(true)));
        kept.texts.insert((region, name), asked["Value"].as_str().unwrap().to_owned());
        return (200, json!({"Tier": "Standard", "Version": 1}));
    }
    match kept.texts.get(&(region, name.clone())) {
        Some(text) => (200, json!({"Parameter": {"Name": name, "Type": "String", "Value": text, "Version": 1}})),
        None => (400, json!({"__type": "ParameterNotFound"})),
    }
}
