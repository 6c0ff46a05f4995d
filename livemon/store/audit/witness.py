"""A witness: that an entry of this number and hash once stood in the log. It finds a log that was put back to an older one.

Each node keeps its newest in a file beside the key; an operator may keep any that `livemon audit verify` has printed.
"""

import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Witness:
    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"


def parse(text: str) -> Witness:
    """Raises `ValueError` for what is none."""
    found = re.fullmatch(r"([1-9]\d{0,17}):([0-9a-f]{64})", text.strip())
    if found is None:
        raise ValueError(
            "a witness is the number and the hash that `livemon audit verify` prints, with a colon between"
        )
    return Witness(int(found[1]), found[2])


def read(path: Path) -> Witness | None:
    """What the file says; None if there is none. Raises `ValueError`, `OSError`."""
    try:
        return parse(path.read_text("ascii"))
    except FileNotFoundError:
        return None


def write(path: Path, witness: Witness) -> None:
    """Put it in place of what the file said. Raises `OSError`."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        temporary.write_text(f"{witness}\n", "ascii")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
