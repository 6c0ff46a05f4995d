"""Refusals, so counted that no flood of them can fill the log. Pure.

The first of its kind is an entry at once; the same again within a minute is counted, and is one entry more at its end.
"""

from collections import Counter
from dataclasses import dataclass, replace

from .acts import Act, Action, Outcome

WINDOW_MS = 60_000
MOST_OF_ONE = 20
"""Kinds of refusals of one person, or of one address, within a window; what goes beyond is told apart no more."""
MOST = 500


_Kind = tuple[str, ...]


@dataclass(slots=True)
class _Window:
    act: Act
    since: int
    more: int = 0


class Refusals:
    """At most `MOST` kinds at a time, and one for each workspace for all the rest."""

    def __init__(self, window_ms: int = WINDOW_MS) -> None:
        self._window_ms = window_ms
        self._windows: dict[_Kind, _Window] = {}
        self._of_one = Counter[_Kind]()

    def add(self, act: Act, now_ms: int) -> Act | None:
        """What to write at once, if anything. An act's `detail` does not tell one kind from another."""
        act = self._told_apart(act)
        window = self._windows.get(_kind(act))
        if window is not None:
            window.more += 1
            return None
        self._windows[_kind(act)] = _Window(act, now_ms)
        self._of_one[_one(act)] += 1
        return act

    def due(self, now_ms: int | None = None) -> list[Act]:
        """What has been counted in windows that are over, or (None) in all: `count` more, since `since` (ms)."""
        over = [kind for kind, one in self._windows.items() if now_ms is None or now_ms - one.since >= self._window_ms]
        told: list[Act] = []
        for kind in over:
            window = self._windows.pop(kind)
            self._of_one -= Counter([_one(window.act)])
            if window.more:
                told.append(replace(window.act, detail={"count": window.more, "since": window.since}))
        return told

    def _told_apart(self, act: Act) -> Act:
        """The act, or what is left to say of it where there are too many."""
        if _kind(act) not in self._windows and self._of_one[_one(act)] >= MOST_OF_ONE:
            from_where = "" if act.person_id else act.address  # of which one person may have any number
            act = replace(act, call_id="", subject="", address=from_where, detail={})
        if _kind(act) not in self._windows and len(self._windows) >= MOST:
            act = Act(Action.ACCESS, Outcome.REFUSED, workspace=act.workspace)
        return act


def _kind(act: Act) -> _Kind:
    return act.action, act.outcome, act.workspace, act.person_id, act.person, act.subject, act.call_id, act.address


def _one(act: Act) -> _Kind:
    return act.workspace, act.person_id, "" if act.person_id else act.address
