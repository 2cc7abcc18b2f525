//! One moto for all tests of this process, and one boto3 beside it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};

use metalogic::aws::Reach;
use serde_json::{Value, json};

use super::python::{python, script};
use crate::fake::{ACCESS_KEY, SECRET_KEY};
use crate::sandbox::Sandbox;

/// The region where nothing else is said.
pub const REGION: &str = "us-east-1";

/// moto takes any; these are what requests are signed with.
const SETTINGS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
    ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ("AWS_REGION", REGION),
    ("AWS_DEFAULT_REGION", REGION),
];

/// A running moto. It and boto3 end when their standard input does, which is when this process ends, however it does.
pub struct Moto {
    pub endpoint: String,
    python: &'static Path,
    boto: Mutex<Spoken>,
    _server: Spoken,
}

/// A script that is spoken to line by line.
struct Spoken {
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
    _child: Child,
}

impl Spoken {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (stdin, stdout) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { stdin, stdout, _child: child }
    }

    fn hear(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the script ended after {line:?}");
        line
    }
}

/// Returns Python, ready to run with an environment that has nothing of this machine in it.
fn clean(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(SETTINGS);
    command
}

impl Moto {
    /// Returns the one that runs; none where this machine cannot run it.
    pub fn get() -> Option<&'static Self> {
        static MOTO: OnceLock<Moto> = OnceLock::new();
        let python = python()?;
        Some(MOTO.get_or_init(|| Self::start(python)))
    }

    /// Starts one that nobody else has. It heeds rights as soon as it is told to.
    pub fn alone() -> Option<Self> {
        python().map(Self::start)
    }

    /// Makes somebody who may do what a policy's statements say, and returns how they reach this moto.
    pub fn user(&self, name: &str, statements: Value) -> Reach {
        let document = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let iam = |operation, arguments| self.boto_in(REGION, "iam", operation, arguments);
        iam("create_user", json!({"UserName": name}));
        iam("put_user_policy", json!({"UserName": name, "PolicyName": "rights", "PolicyDocument": document}));
        let key = &iam("create_access_key", json!({"UserName": name}))["AccessKey"];
        let text = |field: &str| key[field].as_str().unwrap().to_owned();
        Reach { access_key: text("AccessKeyId"), secret_key: text("SecretAccessKey"), ..self.told() }
    }

    /// Has nobody do anything from now on without a right to it.
    pub fn heed_rights(&self) {
        self.boto_in(REGION, "moto-api", "reset-auth", json!("0"));
    }

    /// Lets everybody do anything again.
    pub fn heed_nothing(&self) {
        self.boto_in(REGION, "moto-api", "reset-auth", json!("inf"));
    }

    fn start(python: &'static Path) -> Self {
        // Without a home no profile of this machine counts.
        let start = |name, arguments: &[&str]| {
            Spoken::start(clean(python).env("HOME", "/nonexistent").arg(script(name)).args(arguments))
        };
        let mut server = start("server.py", &[]);
        let endpoint = format!("http://127.0.0.1:{}", server.hear().trim());
        let boto = Mutex::new(start("client.py", &[&endpoint]));
        Self { endpoint, python, boto, _server: server }
    }

    /// Has boto3's client of S3 do something, and returns its answer or its error.
    pub fn try_boto(&self, operation: &str, arguments: Value) -> Result<Value, String> {
        self.try_boto_in(REGION, "s3", operation, arguments)
    }

    /// Has boto3's client of a service in a region do something, and returns its answer or its error.
    pub fn try_boto_in(&self, region: &str, service: &str, operation: &str, arguments: Value) -> Result<Value, String> {
        let mut boto = self.boto.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(boto.stdin, "{}", json!([region, service, operation, arguments])).unwrap();
        let mut answer: Value = serde_json::from_str(&boto.hear()).unwrap();
        match answer["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(answer["answer"].take()),
        }
    }

    /// Has boto3's client of a service in a region do something, which must be done.
    pub fn boto_in(&self, region: &str, service: &str, operation: &str, arguments: Value) -> Value {
        let done = self.try_boto_in(region, service, operation, arguments);
        done.unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// Has boto3's client of S3 do something, which must be done.
    pub fn boto(&self, operation: &str, arguments: Value) -> Value {
        self.try_boto(operation, arguments).unwrap_or_else(|error| panic!("{operation}: {error}"))
    }

    /// Returns a module of the venv's, ready to run in a sandbox.
    pub fn module(&self, sandbox: &Sandbox, module: &str, arguments: &[&str]) -> Command {
        let mut command = clean(self.python);
        command.env("HOME", sandbox.path("")).env("AWS_ENDPOINT_URL", &self.endpoint).env("PYTHONIOENCODING", "utf-8");
        command.current_dir(sandbox.path("")).args(["-m", module]).args(arguments);
        command
    }

    /// Runs the AWS CLI in a sandbox, and returns what it prints.
    pub fn aws(&self, sandbox: &Sandbox, arguments: &[&str]) -> Vec<u8> {
        let output = self.module(sandbox, "awscli", arguments).output().unwrap();
        assert!(output.status.success(), "aws {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }

    /// Returns how moto is reached without asking the settings of this machine.
    pub fn told(&self) -> Reach {
        Reach {
            endpoint: self.endpoint.clone(),
            region: REGION.to_owned(),
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
        }
    }

    /// Gives a command of the sandbox's what it takes to reach moto.
    pub fn reach(&self, command: &mut Command) {
        command.env("AWS_ENDPOINT_URL", &self.endpoint).envs(SETTINGS);
    }
}
