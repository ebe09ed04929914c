"""Check the process in this container: `python /healthcheck.py [PATH]` (default /livez) exits with 0 if the answer is 200.

HEALTH_PORT names the port of a worker.
"""

import os
import sys
from http.client import HTTPConnection

PORTS = {"auth": 8001, "catalog": 8002, "payments": 8003, "sandbox": 8010}

connection = HTTPConnection("127.0.0.1", int(os.environ.get("HEALTH_PORT") or PORTS[os.environ["SERVICE"]]), timeout=3)
connection.request("GET", sys.argv[1] if len(sys.argv) > 1 else "/livez")
answer = connection.getresponse()
sys.stdout.write(answer.read().decode(errors="replace") + "\n")
sys.exit(0 if answer.status == 200 else 1)
