"""The programs that hear a call through this node, each by the name that was promised to it: their microphone, and the
take-over that they have asked for. No I/O.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from livemon.access.person import Person
from livemon.api.errors import ApiError
from livemon.control.take_overs import Attempt
from livemon.media.microphone import MicrophoneLink
from livemon.workspace import Workspace


@dataclass(eq=False, slots=True)
class Participant:
    """One program at one call. `person` is the key, or whoever else, that it came by."""

    participant_id: str
    call_id: str
    person: Person
    workspace: Workspace
    link: MicrophoneLink | None = None
    attempt: Attempt | None = None
    failure: ApiError | None = None
    """How the last take-over failed: said again to who asks again without another microphone."""
    told: Callable[[Attempt], None] = lambda _: None
    """Called whenever its take-over has moved."""
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def talks(self) -> bool:
        """Whether a take-over of its is under way, or has come about."""
        return self.attempt is not None and not self.attempt.over.is_set()

    def is_of(self, person: Person) -> bool:
        """Whether that person, or key, is who it came by."""
        return (self.person.user_id, self.person.workspace) == (person.user_id, person.workspace)

    def follow(self, attempt: Attempt) -> None:
        """From now on that is its take-over."""
        self.attempt, self.failure = attempt, None
        attempt.watchers.append(lambda: self.told(attempt))


class Participants:
    """Those of one node."""

    def __init__(self) -> None:
        self._here: dict[str, Participant] = {}

    def find(self, participant_id: str, person: Person, call_id: str) -> Participant | None:
        """Whoever asks may do so about one of their own, at that call."""
        found = self._here.get(participant_id)
        if found is None or found.call_id != call_id:
            return None
        return found if found.is_of(person) else None

    def add(self, participant: Participant) -> None:
        self._here[participant.participant_id] = participant

    def leave(self, participant: Participant) -> None:
        """It is gone; what it has of a call goes on, and can be asked for, until that is over."""
        if not participant.talks:
            self._here.pop(participant.participant_id, None)
            return
        assert participant.attempt is not None
        participant.attempt.watchers.append(lambda: self._forget(participant))

    def _forget(self, participant: Participant) -> None:
        if not participant.talks:
            self._here.pop(participant.participant_id, None)
