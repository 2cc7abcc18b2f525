"""Serves moto on a free port of 127.0.0.1, which it prints, until its standard input ends: so it outlives nobody who started it."""

import logging
import os
import sys

from moto.core.exceptions import JsonRESTError
from moto.iam.access_control import IAMRequest
from moto.server import ThreadedMotoServer
from moto.ssm.responses import SimpleSystemManagerResponse


def parameter(self):
    """Returns the parameter that a request is about: moto itself heeds only what may be done, and not to which."""
    name = self._get_param("Name")
    return f"arn:aws:ssm:{self.region}:{self.current_account}:parameter/{name.lstrip('/')}" if name else "*"


def refuse(self, of_others=IAMRequest._raise_access_denied):
    """Refuses as Systems Manager does: moto has the same document for all services but S3."""
    if self._service != "ssm":
        of_others(self)
    raise JsonRESTError("AccessDeniedException", f"User: {self._access_key.arn} is not authorized to perform: {self._action}")


SimpleSystemManagerResponse._determine_resource = parameter
IAMRequest._raise_access_denied = refuse

logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
os._exit(0)
