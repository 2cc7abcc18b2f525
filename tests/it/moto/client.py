"""Has boto3 do what each line of standard input says, `[region, service, operation, arguments]`, and answers each with one line, until the
input ends."""

import functools
import hashlib
import json
import sys

import boto3
import requests


@functools.cache
def client(service, region):
    """Returns the client of a service in a region."""
    return boto3.client(service, region_name=region, endpoint_url=sys.argv[1])


def told(value):
    """Returns what JSON can hold of a part of an answer: of a body its size and digest, of what else it does not know the text."""
    if not hasattr(value, "read"):
        return str(value)
    body = value.read()
    return {"size": len(body), "sha256": hashlib.sha256(body).hexdigest()}


for line in sys.stdin:
    region, service, operation, arguments = json.loads(line)
    try:
        if service == "moto-api":
            requests.post(f"{sys.argv[1]}/moto-api/{operation}", data=arguments).raise_for_status()
            answer = {"answer": None}
        else:
            answer = {"answer": getattr(client(service, region), operation)(**arguments)}
    except Exception as error:  # Whatever it is, the test that asked is told.
        answer = {"error": repr(error)}
    print(json.dumps(answer, default=told), flush=True)
