"""One turn of the agent's or the caller's, from its first word to its last. Never blocks, never raises."""

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .call import Call

Speaker = Literal["agent", "user"]


class Turn:
    """Say `partial` as often as you like, then `final` once, or `retract` if it came to nothing."""

    def __init__(self, call: "Call", turn_id: str, role: Speaker, time_ms: int) -> None:
        self.id, self.role, self.time_ms = turn_id, role, time_ms
        self._call = call
        self._closed = False
        self._said = False

    def partial(self, content: str) -> None:
        """The whole text so far. At most ten a second are sent, the latest wins; none after the end of the turn."""
        if not self._closed:
            self._said = True
            self._call.say_partial(self.id, self._entry(content=content, final=False))

    def final(
        self, content: str, *, interrupted: bool | None = None, words: list[dict[str, Any]] | None = None
    ) -> None:
        """What was said in the end; said again, it revises. `words`: `{"word", "start", "end"}` in seconds."""
        entry = self._entry(content=content, final=True, interrupted=interrupted, words=words)
        if self._call.say_entry(entry):
            self._closed = True

    def retract(self) -> None:
        """Nothing was said after all: what was shown of it goes."""
        if not self._closed:
            self._closed = True
            if self._said:
                self._call.say_partial(self.id, self._entry(content="", final=False, retracted=True))

    def _entry(self, **fields: Any) -> dict[str, Any]:
        return {"id": self.id, "role": self.role, "time_ms": self.time_ms, **fields}
