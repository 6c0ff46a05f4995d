"""What one watcher may see of calls. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sight:
    """`read`: what is said in a call; `unmasked`: numbers and addresses as they are (docs/rights.md)."""

    read: bool = True
    unmasked: bool = True


EVERYTHING = Sight()
