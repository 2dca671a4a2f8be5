"""The health check of the images: exit status 0 if the server's models are loaded, else 1.

Asks /ready on loopback, at the port of the environment or of the settings file, with what Python
brings. The answer is 503 while the models are fetched and loaded.
"""

import sys
from http.client import HTTPConnection, HTTPException

from voice.settings import read_settings


def main() -> int:
    """Print the state of the server and return the exit status."""
    settings = read_settings()
    connection = HTTPConnection(settings.host, settings.port, timeout=4)
    try:
        connection.request("GET", "/ready")
        answer = connection.getresponse()
        print(answer.status, answer.read(2000).decode())  # noqa: T201  docker inspect shows it
        return 0 if answer.status == 200 else 1
    except (OSError, HTTPException) as error:
        print(f"no answer from {settings.host} port {settings.port}: {error}")  # noqa: T201
        return 1
    finally:
        connection.close()


if __name__ == "__main__":
    sys.exit(main())
