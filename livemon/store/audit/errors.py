"""The errors of this package, each a `StoreError`; the texts are fit to be shown.

NotRecorded        an act could not be written into the log, so it has not been done
KeyUnusable        the key that seals the log is missing, another one, or cannot be read or made
"""

from pathlib import Path

from livemon.store.errors import StoreError


class NotRecorded(StoreError):
    def __init__(self, why: str) -> None:
        super().__init__(
            "This cannot be written into the audit log right now, so it was not done, and no call is affected. Try again in "
            "a few seconds; ending a call and leaving one work meanwhile. If it goes on, ask whoever runs livemon to look "
            "into the server's log."
        )
        self.why = why


class KeyUnusable(StoreError):
    """livemon does not start with it: what it would write could not be told from a forgery."""

    def __init__(self, path: Path, why: str, advice: str) -> None:
        super().__init__(f"The audit log's key {path} {why}, so nothing can be recorded. {advice}")
        self.path = path

    @classmethod
    def missing(cls, path: Path) -> "KeyUnusable":
        return cls(path, "is missing, though this database's audit log was sealed with one", _BACK)

    @classmethod
    def other(cls, path: Path) -> "KeyUnusable":
        return cls(path, "is not the one with which this database's audit log was sealed", _BACK)

    @classmethod
    def unreadable(cls, path: Path, why: str) -> "KeyUnusable":
        return cls(path, f"cannot be used ({why})", "Make it readable and writable for the user who runs livemon.")


_BACK = (
    "Nodes on one database share that file: copy it from the data folder of the node that began the log, or from a backup. "
    "If it is lost for good, `livemon audit renew-key` seals the log as it stands with a new one, and records that."
)
