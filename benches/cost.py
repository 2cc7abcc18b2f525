"""What requests and metafiles cost at Amazon S3's list prices, for counted requests."""

# US East (N. Virginia), S3 Standard, in dollars.
WRITE = 0.005 / 1000  # PUT, COPY, POST, LIST
READ = 0.0004 / 1000  # GET and all others; DELETE is free
GB_MONTH = 0.023

BUILDS_A_DAY = 10_000
ADDRESSES = 5_000_000
DAYS = 365 / 12


def price(requests):
    """Returns a run's price. What tries whether a service keeps conditions is not counted: Amazon's is not tried."""
    dear = sum(count for kind, count in requests.items() if kind in ("PUT", "COPY", "POST", "LIST"))
    cheap = sum(count for kind, count in requests.items() if kind in ("GET", "HEAD"))
    return dear * WRITE + cheap * READ


def dollars(value):
    return f"${value:,.2f}"


def table(runs, metafile_bytes):
    """Returns the table for what was counted of each command, by its title, and for a metafile's size."""
    lines = [
        f"{BUILDS_A_DAY:,} builds a day, {ADDRESSES:,} addresses:",
        "",
        "| command | requests | a run | a day | a month |",
        "| --- | --- | --- | --- | --- |",
    ]
    for title, requests in runs.items():
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(requests.items()) if kind != "probe")
        run = price(requests)
        day = run * BUILDS_A_DAY
        lines.append(f"| {title} | {told} | ${run:.6f} | {dollars(day)} | {dollars(day * DAYS)} |")
    kept = ADDRESSES * metafile_bytes / 1e9
    lines.append(f"| {ADDRESSES:,} metafiles of {metafile_bytes:,} bytes: {kept:.1f} GB | | | | {dollars(kept * GB_MONTH)} |")
    return "\n".join(lines) + "\n"
