"""The key that seals the log: a file in the data folder, for its owner's eyes alone.

Whoever can write to the database alone can hash a forged chain anew, and cannot seal it.
"""

import contextlib
import hmac
import os
import secrets
import stat
from hashlib import sha256
from pathlib import Path

import structlog

from .errors import KeyUnusable

_BYTES = 32
_log = structlog.get_logger(__name__)


class AuditKey:
    """`id` names the key and gives nothing away."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self.id = self._mac("id")[:16]

    def seal_entry(self, entry_hash: str) -> str:
        return self._mac("entry", entry_hash)

    def seal_head(self, seq: int, entry_hash: str) -> str:
        """Of where the log ends; no entry's seal can stand in for it."""
        return self._mac("head", str(seq), entry_hash)

    def seal_checkpoint(self, reason: str, seq: int, entry_hash: str, gone: int, at: int) -> str:
        return self._mac("checkpoint", reason, str(seq), entry_hash, str(gone), str(at))

    def _mac(self, *parts: str) -> str:
        """HMAC-SHA-256 in hex; the first part says what for, and none has a line feed."""
        return hmac.new(self._secret, "\n".join(("livemon audit", *parts)).encode(), sha256).hexdigest()


def read_key(path: Path) -> AuditKey | None:
    """The key; None if there is no file. Raises `KeyUnusable`."""
    try:
        text = path.read_text("ascii").strip()
        loose = stat.S_IMODE(path.stat().st_mode) & 0o077
        secret = bytes.fromhex(text)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyUnusable.unreadable(path, error.strerror or str(error)) from error
    except ValueError as error:
        raise KeyUnusable.unreadable(path, "it is not the text that livemon has written") from error
    if len(secret) != _BYTES:
        raise KeyUnusable.unreadable(path, "it is not the text that livemon has written")
    if loose:
        _log.warning("The audit log's key can be read by others: chmod 600 it.", path=str(path))
    return AuditKey(secret)


def make_key(path: Path) -> AuditKey:
    """The key of that file, made unless it is there; of several at once all get the same. Raises `KeyUnusable`."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "w", encoding="ascii") as written:
            written.write(secrets.token_hex(_BYTES) + "\n")
            written.flush()
            os.fsync(written.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)  # whole or not at all, and never over another one
    except OSError as error:
        raise KeyUnusable.unreadable(path, error.strerror or str(error)) from error
    finally:
        temporary.unlink(missing_ok=True)
    key = read_key(path)
    if key is None:
        raise KeyUnusable.unreadable(path, "it has gone again")
    return key
