"""From a bot's frames to the call's record: who said what, which tools were called, which keys were pressed, and the voices.

The agent's words are taken where the output transport pushes them: when their turn in the queue of sound has come. What
an interruption kept from being spoken never comes there.
"""

from collections import deque

from pipecat.frames.frames import (
    BotStartedSpeakingFrame,
    BotStoppedSpeakingFrame,
    Frame,
    FunctionCallCancelFrame,
    FunctionCallInProgressFrame,
    FunctionCallResultFrame,
    InputAudioRawFrame,
    InputDTMFFrame,
    InterimTranscriptionFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    TranscriptionFrame,
    TTSTextFrame,
)
from pipecat.processors.frame_processor import FrameDirection

from ...call import Call
from ...drops import Drops
from ...turn import Turn
from .agent_words import AgentWords
from .audio import Voice
from .taps import Note

_MOST_SEEN = 64
_HEARD = (TranscriptionFrame, InterimTranscriptionFrame)


class Recorder:
    """Told of every push of a call's processors by `taps.tap`. Never raises."""

    def __init__(self, call: Call, drops: Drops, caller: Voice, agent: Voice) -> None:
        self._call, self._drops = call, drops
        self._caller, self._agents = caller, agent
        self._user_turn: Turn | None = None
        self._heard = ""
        self._agent = AgentWords(call)
        self._seen: deque[int] = deque(maxlen=_MOST_SEEN)
        """Transcriptions that are in the record: a frame is pushed again by all whom it passes."""

    # --- where frames come from

    def from_input(self, frame: Frame, direction: FrameDirection) -> None:
        """What the input transport pushes: the caller's voice and keys, and transcriptions if it makes them."""
        if isinstance(frame, InputAudioRawFrame):
            if self._call.voices.caller_on:
                self._caller.take(frame)
        elif isinstance(frame, InputDTMFFrame):
            self._call.dtmf(frame.button.value)
        else:
            self.from_hearing(frame, direction)

    def from_hearing(self, frame: Frame, _direction: FrameDirection) -> None:
        """What recognises speech: an STT service, a transport, or a model that hears by itself."""
        if isinstance(frame, _HEARD) and frame.id not in self._seen:
            self._seen.append(frame.id)
            self._hear(frame.text.strip(), final=isinstance(frame, TranscriptionFrame))

    def from_model(self, frame: Frame, direction: FrameDirection) -> None:
        """Tool calls go both ways, in two frames each: one of them is enough."""
        if direction is FrameDirection.UPSTREAM:
            self.from_hearing(frame, direction)
        elif isinstance(frame, FunctionCallInProgressFrame):
            self._call.tool_call(frame.tool_call_id, frame.function_name, frame.arguments)
        elif isinstance(frame, FunctionCallResultFrame):
            error = getattr(frame, "error", None)
            content = "" if frame.result is None and not error else error or frame.result
            self._call.tool_result(frame.tool_call_id, content, successful=not error)
        elif isinstance(frame, FunctionCallCancelFrame):
            self._call.tool_result(frame.tool_call_id, "Cancelled.", successful=False)

    def from_output(self, frame: Frame, direction: FrameDirection) -> None:
        """What the output transport pushes once it has sent it."""
        if isinstance(frame, OutputAudioRawFrame):
            if self._call.voices.agent_on:
                self._agents.take(frame)
        elif direction is FrameDirection.UPSTREAM:
            return
        elif isinstance(frame, TTSTextFrame):
            self._agent.speak(frame)
        elif isinstance(frame, BotStartedSpeakingFrame):
            self._agent.begin()
        elif isinstance(frame, BotStoppedSpeakingFrame):
            self._agent.finish()
        elif isinstance(frame, InterruptionFrame):
            self._agent.finish(interrupted=True)

    def safely(self, note: Note) -> Note:
        """`note`, with whatever it fails at counted and logged by the runtime instead of raised into the bot."""

        def noted(frame: Frame, direction: FrameDirection) -> None:
            try:
                note(frame, direction)
            except Exception as error:
                self._drops.drop("pipecat_frame_malformed", f"{self._call.call_id}: {frame.name}: {error!r}")

        return noted

    def end(self) -> None:
        """The pipeline is over: what was being said was said."""
        if self._heard:
            self._hear(self._heard, final=True)
        self._agent.finish()

    # --- turns

    def _hear(self, text: str, *, final: bool) -> None:
        turn = self._user_turn = self._user_turn or self._call.user_turn()
        if not final:
            self._heard = text
            turn.partial(text)
            return
        if text:
            turn.final(text)
        else:
            turn.retract()
        self._user_turn, self._heard = None, ""
