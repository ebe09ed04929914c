"""Exit 0 while the process in this container answers GET /livez on its port (a worker's port is in HEALTH_PORT)."""

import os
import sys
from http.client import HTTPConnection

PORTS = {"auth": 8001, "catalog": 8002, "payments": 8003, "sandbox": 8010}

connection = HTTPConnection("127.0.0.1", int(os.environ.get("HEALTH_PORT") or PORTS[os.environ["SERVICE"]]), timeout=3)
connection.request("GET", "/livez")
status = connection.getresponse().status
sys.exit(0 if status == 200 else f"GET /livez answered {status}")
