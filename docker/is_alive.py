"""Asks the service of this container whether it is alive: status 0 when /livez answers 200, else 1."""

import http.client
import os
import ssl
import sys
from pathlib import Path

from c2c_stasis.config import ConfigError, load

WITHIN = 3.0  # seconds; the container's check has 5
ANY = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 # what listens everywhere is asked on loopback


def main() -> int:
    """Ask where the service's own configuration says that it listens."""
    try:
        found = load(Path(os.environ["C2C_CONFIG"]), os.environ).http
        host, port = ANY.get(found.listen.host, found.listen.host), found.listen.port
        connection = http.client.HTTPConnection(host, port, timeout=WITHIN)
        if found.tls_certificate:
            # It is for the name that clients use, not for this one; nothing is sent that would be worth a check.
            unchecked = ssl._create_unverified_context()  # noqa: S323
            connection = http.client.HTTPSConnection(host, port, timeout=WITHIN, context=unchecked)
        connection.request("GET", "/livez")
        return 0 if connection.getresponse().status == 200 else 1
    except (ConfigError, OSError, http.client.HTTPException) as exc:
        print(exc, file=sys.stderr)  # noqa: T201 # the engine keeps it with the check
        return 1


if __name__ == "__main__":
    sys.exit(main())
