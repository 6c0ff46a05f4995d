"""canaille in a process of its own, which a test may stop and start."""

import json
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.canaille_server import CLIENT, SECRET

START_TIMEOUT_S = 180


@dataclass
class CanailleProcess:
    """`livemon` is the address of the livemon whose people it knows."""

    port: int
    livemon: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """For a livemon that has it as its provider."""
        own = {
            "ISSUER": self.issuer,
            "CLIENT_ID": CLIENT,
            "CLIENT_SECRET": SECRET,
            "NAME": "Canaille",
            "SCOPES": "openid profile email groups",
            "ADMINS": "supervisors-in-chief",
            "DEVELOPERS": "supervisors",
            "DOMAINS": "example.org",
            "TRUST_EMAILS": "true",
        }
        return {f"LIVEMON_OIDC__CANAILLE__{name}": value for name, value in own.items()}

    @property
    def key(self) -> RSAKey:
        """By which it signs, whenever it was started."""
        if not self._key.exists():
            made = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"})
            made.ensure_kid()
            self._key.write_text(json.dumps(made.as_dict(private=True)))
        return RSAKey.import_key(json.loads(self._key.read_text()))

    @property
    def _key(self) -> Path:
        return self.folder / "canaille-key.json"

    def logout_token(self, subject: str) -> str:
        """What it would say once somebody has signed out, if it were one of those that say so."""
        now = int(time.time())
        said = {"iss": self.issuer, "aud": CLIENT, "sub": subject, "iat": now, "exp": now + 120}
        said |= {"jti": secrets.token_hex(8), "events": {"http://schemas.openid.net/event/backchannel-logout": {}}}
        return jwt.encode({"alg": "RS256", "kid": self.key.kid, "typ": "logout+jwt"}, said, self.key)

    def start(self) -> None:
        assert self.key
        command = [sys.executable, "-m", "tests.canaille_server", str(self.port), self.livemon, str(self._key)]
        with (self.folder / "canaille.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            said = (self.folder / "canaille.log").read_text(errors="replace")[-4000:]
            assert self.process.poll() is None, f"canaille has ended:\n{said}"
            assert time.monotonic() < deadline, f"canaille does not answer:\n{said}"
            time.sleep(0.05)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(120)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.issuer}/.well-known/openid-configuration", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False
