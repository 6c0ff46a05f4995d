"""What a container's health check runs: exit code 0 if the livemon beside it answers on /healthz, else 1 and the reason.

It asks over loopback at the port and with the scheme that the settings say; the certificate's name is not its matter.
"""

import os
import ssl
import sys
import urllib.error
import urllib.request


def main() -> int:
    """Ask once, for four seconds at most."""
    scheme = "https" if os.environ.get("LIVEMON_TLS_CERT") else "http"
    url = f"{scheme}://127.0.0.1:{os.environ.get('LIVEMON_PORT', '8080')}/healthz"
    trust = ssl.create_default_context()
    trust.check_hostname = False
    trust.verify_mode = ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=4, context=trust):  # noqa: S310 - our own address
            return 0
    except (urllib.error.URLError, OSError) as error:
        sys.stderr.write(f"livemon does not answer on {url}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
