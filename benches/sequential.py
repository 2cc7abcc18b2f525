"""The resolver that a team would write in an afternoon, as the baseline: one client, one listing after the other.

usage: sequential.py BUCKET PREFIX   (in the repository; credentials and endpoint as boto3 finds them)
"""

import json
import subprocess
import sys
import tomllib

import boto3
from botocore.exceptions import ClientError


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout


def registered():
    with open("artifacts.toml", "rb") as file:
        projects = tomllib.load(file)["projects"]
    return {name for project in projects.values() for name in project["artifacts"]}


def stored(s3, bucket, address):
    """Returns the commit's metafile, where it has one."""
    try:
        return json.load(s3.get_object(Bucket=bucket, Key=f"{address}/build_meta.json")["Body"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "NoSuchKey":
            return None
        raise


def standing(s3, bucket, address):
    """Returns the names at an address."""
    answer = s3.list_objects_v2(Bucket=bucket, Prefix=f"{address}/")
    return {entry["Key"].rsplit("/", 1)[1] for entry in answer.get("Contents", [])}


def main():
    bucket, prefix = sys.argv[1:]
    s3 = boto3.client("s3")
    # As far as metalogic looks.
    commits = git("rev-list", "--first-parent", "--max-count=201", "HEAD").split()
    head, builds = commits[0], f"{prefix}/builds"
    if metafile := stored(s3, bucket, f"{builds}/{head}"):
        print(json.dumps(metafile))
        return
    missing, artifacts = registered(), {}
    for commit in commits:
        for name in missing & standing(s3, bucket, f"{builds}/{commit}"):
            artifacts[name] = commit
            missing.discard(name)
        if not missing:
            break
    parent = commits[1] if len(commits) > 1 else None
    metafile = {"commit": head, "parent_commit": parent, "artifacts": dict(sorted(artifacts.items()))}
    body = json.dumps(metafile, indent=2) + "\n"
    s3.put_object(Bucket=bucket, Key=f"{builds}/{head}/build_meta.json", Body=body, ContentType="application/json")
    print(body, end="")


if __name__ == "__main__":
    main()
