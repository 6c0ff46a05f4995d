"""The agent's turns as they are spoken.

Where the session has LiveKit's transcript synchronizer, words come when their sound does; what was spoken in the end is
the message that the session enters into its own history. Without it there is only that message, once it was spoken.
"""

from collections.abc import Callable

from ...call import Call
from ...turn import Turn


class AgentWords:
    """`share_heard` says how much of a speech that was cut off was heard, for outputs that do not know the words."""

    def __init__(self, call: Call, share_heard: Callable[[], float]) -> None:
        self._call, self._share_heard = call, share_heard
        self._turn: Turn | None = None
        self._said = ""
        self._over = True
        self.in_time = False
        """`speak` is told of every word when its sound comes."""

    def begin(self) -> None:
        """The agent's sound begins."""
        if self._over:
            self._turn, self._said, self._over = self._call.agent_turn(), "", False

    def speak(self, text: str) -> None:
        """What is heard now, spaces included."""
        if self._call.agent_silent:
            return
        self.begin()
        self._said += text
        if self._turn and self._said.strip():
            self._turn.partial(self._said.strip())

    def settle(self, text: str, *, interrupted: bool) -> None:
        """The session's own word for what was spoken; it may come after the sound has ended."""
        if self._turn is None:
            if self._call.agent_silent:
                return  # what was never begun was never heard
            self._turn = self._call.agent_turn()
        if interrupted and not self.in_time:
            text = _begin_of(text, self._share_heard())
        if text.strip():
            self._turn.final(text.strip(), interrupted=interrupted or None)
        else:
            self._turn.retract()
        self._turn, self._said, self._over = None, "", True

    def finish(self) -> None:
        """The agent's sound has ended. A turn that the session has said nothing about is what was heard of it."""
        if self._over or self._turn is None:
            return
        self._over = True
        if said := self._said.strip():
            self._turn.final(said, interrupted=self._call.agent_silent or None)
        else:
            self._turn.retract()


def _begin_of(text: str, share: float) -> str:
    """The words of `text` that lie within its first `share`."""
    if share >= 1:
        return text
    cut = text[: int(len(text) * share) + 1]
    return cut.rpartition(" ")[0]
