"""The agent's turns as they are spoken: from the words whose time has come, and when the bot begins and stops speaking.

Words and sound come on two ways: the first word may be there before the sound has begun, and the last after it has ended.
"""

from pipecat.frames.frames import TTSTextFrame
from pipecat.utils.string import TextPartForConcatenation, concatenate_aggregated_text

from ...call import Call
from ...turn import Turn


class AgentWords:
    def __init__(self, call: Call) -> None:
        self._call = call
        self._turn: Turn | None = None
        self._said: list[TextPartForConcatenation] = []
        self._context: str | None = None
        """Pipecat's name for what is spoken in one go."""
        self._finished = True

    def begin(self) -> None:
        """The agent's sound begins."""
        if self._finished:
            self._turn, self._said, self._context, self._finished = self._call.agent_turn(), [], None, False

    def speak(self, frame: TTSTextFrame) -> None:
        """A word, or a sentence of a voice that does not tell its words' times."""
        if self._call.agent_silent:
            return
        if self._turn is None or not self._said or frame.context_id != self._context:
            self.begin()
        if self._turn is None:
            return
        self._context = frame.context_id
        self._said.append(TextPartForConcatenation(frame.text, frame.includes_inter_frame_spaces))
        if self._finished:
            self._turn.final(self._text)
        else:
            self._turn.partial(self._text)

    def finish(self, *, interrupted: bool | None = None) -> None:
        """The agent's sound has ended; `interrupted`: it was cut off."""
        if self._turn and self._said and not self._finished:
            self._turn.final(self._text, interrupted=interrupted)
        self._finished = True

    @property
    def _text(self) -> str:
        return concatenate_aggregated_text(self._said).strip()
