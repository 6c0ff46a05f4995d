"""How an entry is hashed onto the one before. Pure; docs/architecture.md says the same for whoever checks it elsewhere."""

import json
from hashlib import sha256
from typing import Protocol

GENESIS = "0" * 64
"""What stands before the first entry."""

FIELDS = (
    *("seq", "at", "workspace", "action", "outcome", "person_id", "person"),
    *("subject", "call_id", "address", "detail", "about"),
)
"""What an entry says: all its columns but the hashes and the seal."""


class Said(Protocol):
    """An entry as it is read; `livemon.store.tables.AuditEntry` is one."""

    seq: int
    at: int
    workspace: str
    action: str
    outcome: str
    person_id: str
    person: str
    subject: str
    call_id: str
    address: str
    detail: str
    about: int | None
    previous: str
    hash: str
    seal: str


def canonical(entry: Said, seq: int | None = None) -> str:
    """What is hashed: one JSON object, names sorted, no spaces, nothing but ASCII. `seq`: as if it stood there."""
    said = {name: getattr(entry, name) for name in FIELDS}
    if seq is not None:
        said["seq"] = seq
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def entry_hash(entry: Said, seq: int | None = None) -> str:
    """SHA-256 over the hash before, a line feed, and the entry's canonical form; in hex."""
    return sha256(f"{entry.previous}\n{canonical(entry, seq)}".encode()).hexdigest()
