"""Check the process in this container: `python /healthcheck.py [PATH]` (default /livez) exits with 0 if the response is 200.

Workers set HEALTH_PORT; the other processes have the default port of their service.
"""

import os
import sys
from http.client import HTTPConnection

PORTS = {"auth": 8001, "catalog": 8002, "payments": 8003, "sandbox": 8010}

connection = HTTPConnection("127.0.0.1", int(os.environ.get("HEALTH_PORT") or PORTS[os.environ["SERVICE"]]), timeout=3)
connection.request("GET", sys.argv[1] if len(sys.argv) > 1 else "/livez")
response = connection.getresponse()
sys.stdout.write(response.read().decode(errors="replace") + "\n")
sys.exit(0 if response.status == 200 else 1)
