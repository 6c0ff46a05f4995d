"""Whether a log is whole, entry by entry; and where it is not. Pure: `see` every entry in order, then `finish`.

It believes nothing that is not sealed: a checkpoint without its seal explains nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from livemon.store.tables import AuditCheckpoint, AuditEntry

from .chain import GENESIS, entry_hash
from .key import AuditKey
from .ledger import End
from .witness import Witness

MAX_PROBLEMS = 200
"""Told one by one; more are counted."""
REASON_KEY = "key"
"""Of a checkpoint that a new key has left."""


class Kind(StrEnum):
    """What was done to the log."""

    CHANGED = "changed"
    """It does not say what was recorded."""
    FOREIGN = "foreign"
    """It was not written by livemon: inserted, or rewritten and hashed anew."""
    MISSING = "missing"
    MOVED = "moved"
    """It was recorded under another number (`other`)."""
    UNCHAINED = "unchained"
    """It is genuine, and does not follow the one before it."""
    TRUNCATED = "truncated"
    """Missing at the end."""
    BEYOND = "beyond"
    """Behind the recorded end."""
    END = "end"
    """The record of where the log ends was changed, or is gone."""
    CHECKPOINT = "checkpoint"
    """A checkpoint that livemon has not written."""
    WITNESS = "witness"
    """A witness saw another log."""
    KEY = "key"
    """The key is missing, or another one: seals cannot be checked."""


@dataclass(frozen=True, slots=True)
class Problem:
    """`first` to `last`: the entries concerned, 0 where it is about none."""

    kind: Kind
    first: int = 0
    last: int = 0
    other: int = 0


@dataclass(slots=True)
class Report:
    """`problems` in the order of entries; `unlisted`: how many more there are. `end`: a witness for the next time."""

    problems: list[Problem] = field(default_factory=list[Problem])
    unlisted: int = 0
    entries: int = 0
    gone: int = 0
    """All entries up to this one were removed for their age."""
    end: Witness | None = None

    @property
    def whole(self) -> bool:
        return not self.problems


class Examination:
    """`key`: None if there is none, then seals stay unchecked, and the report says so."""

    def __init__(
        self,
        key: AuditKey | None,
        end: End | None,
        checkpoints: Iterable[AuditCheckpoint],
        witnesses: Iterable[Witness],
    ) -> None:
        self._key = key
        self._end = end
        self._witnesses = set(witnesses)
        self._report = Report()
        self._changed: list[AuditEntry] = []
        self._check_key()
        self._earlier_key = 0  # up to here, entries were sealed with a key that is lost
        self._seq, self._hash, self._good = 0, GENESIS, True
        self._start_from(list(checkpoints))
        self._report.gone = self._seq

    def see(self, entry: AuditEntry) -> None:
        """The next entry, by its number."""
        if entry.seq <= self._report.gone:
            self._tell(Problem(Kind.FOREIGN, entry.seq, entry.seq))  # what was removed does not come back
            return
        self._report.entries += 1
        gap = entry.seq != self._seq + 1
        if gap:
            self._tell(Problem(Kind.MISSING, self._seq + 1, entry.seq - 1))
        good = self._check(entry, follows=gap or not self._good or entry.previous == self._hash)
        self._seq, self._hash, self._good = entry.seq, entry.hash, good
        for one in self._witnesses:
            if one.seq == entry.seq and one.hash != entry.hash:
                self._tell(Problem(Kind.WITNESS, one.seq, one.seq))

    def finish(self) -> Report:
        """After the last entry."""
        self._find_moved()
        self._check_end()
        self._report.problems.sort(key=lambda problem: (problem.first, problem.last))
        if self._report.whole and self._seq:
            self._report.end = Witness(self._seq, self._hash)
        return self._report

    # --- one entry

    def _check(self, entry: AuditEntry, *, follows: bool) -> bool:
        if entry_hash(entry) != entry.hash:
            if len(self._changed) < MAX_PROBLEMS:
                self._changed.append(entry)
            self._tell(Problem(Kind.CHANGED, entry.seq, entry.seq))
            return False
        if not self._sealed(entry):
            self._tell(Problem(Kind.FOREIGN, entry.seq, entry.seq))
            return False
        if not follows:
            self._tell(Problem(Kind.UNCHAINED, entry.seq, entry.seq))
        return True

    def _sealed(self, entry: AuditEntry) -> bool:
        if self._key is None or entry.seq <= self._earlier_key:
            return True
        return self._key.seal_entry(entry.hash) == entry.seal

    def _find_moved(self) -> None:
        """Entries that are genuine under another number than they stand at."""
        numbers = {entry.seq for entry in self._changed}
        for problem in self._report.problems:
            if problem.kind is Kind.MISSING:
                numbers.update(range(problem.first, min(problem.last, problem.first + MAX_PROBLEMS) + 1))
        for entry in self._changed:
            was = next((seq for seq in sorted(numbers) if entry_hash(entry, seq) == entry.hash), None)
            if was is not None and self._sealed(entry):
                changed = Problem(Kind.CHANGED, entry.seq, entry.seq)
                if changed in self._report.problems:
                    self._report.problems.remove(changed)
                self._tell(Problem(Kind.MOVED, entry.seq, entry.seq, other=was))

    # --- where the log begins and ends

    def _check_key(self) -> None:
        """Do without a key that is another one than the log's: with it, every entry would seem foreign."""
        end = self._end
        if end is None or not end.seal:
            return
        if self._key is None or (self._key.id != end.key_id and not self._end_is_genuine(end)):
            self._key = None
            self._tell(Problem(Kind.KEY))
        elif self._key.id != end.key_id:
            self._tell(Problem(Kind.END, end.seq, end.seq))

    def _start_from(self, checkpoints: list[AuditCheckpoint]) -> None:
        """Begin behind the newest genuine checkpoint; those of an earlier key count as far as a genuine one says."""
        genuine = [one for one in checkpoints if self._genuine(one)]
        keys = [one for one in genuine if one.reason == REASON_KEY]
        self._earlier_key = max((one.seq for one in keys), default=0)
        vouched = max((one.gone for one in keys), default=0)
        for one in checkpoints:
            until = self._earlier_key - 1 if one.reason == REASON_KEY else vouched
            if one in genuine or one.seq <= until:
                if one.reason != REASON_KEY and one.seq > self._seq:
                    self._seq, self._hash = one.seq, one.hash
            else:
                self._tell(Problem(Kind.CHECKPOINT, one.seq, one.seq))
        # What a lost key sealed must lead to the hash that the next one has sealed.
        self._witnesses |= {Witness(one.seq, one.hash) for one in keys if one.seq > self._seq}

    def _genuine(self, one: AuditCheckpoint) -> bool:
        if self._key is None:
            return True
        return self._key.seal_checkpoint(one.reason, one.seq, one.hash, one.gone, one.at) == one.seal

    def _check_end(self) -> None:
        end = self._end
        if end is None or not self._end_is_genuine(end):
            self._tell(Problem(Kind.END, self._seq, self._seq))
        elif end.seq > self._seq:
            self._tell(Problem(Kind.TRUNCATED, self._seq + 1, end.seq))
        elif end.seq < self._seq:
            self._tell(Problem(Kind.BEYOND, end.seq + 1, self._seq))
        elif self._good and end.hash != self._hash:
            self._tell(Problem(Kind.END, self._seq, self._seq))
        for one in self._witnesses:
            if one.seq > self._seq and not (end is not None and end.seq >= one.seq):
                self._tell(Problem(Kind.WITNESS, self._seq + 1, one.seq))

    def _end_is_genuine(self, end: End) -> bool:
        if self._key is None:
            return True
        return end.seal == self._key.seal_head(end.seq, end.hash)

    def _tell(self, problem: Problem) -> None:
        if len(self._report.problems) < MAX_PROBLEMS:
            self._report.problems.append(problem)
        else:
            self._report.unlisted += 1
