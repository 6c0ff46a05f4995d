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
from .taps import Note, Notes

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

    # --- what is told of which frames

    def of_hearing(self) -> Notes:
        """What recognises speech: an STT service, a transport, or a model that hears by itself."""
        heard = self._safely(self._transcription)
        return [(kind, heard) for kind in _HEARD]

    def of_input(self) -> Notes:
        """What the input transport pushes: the caller's voice and keys, and transcriptions if it makes them."""
        voices, take = self._call.voices, self._safely(self._callers_voice)

        def voice(frame: InputAudioRawFrame, direction: FrameDirection) -> None:
            if voices.caller_on:
                take(frame, direction)

        return [(InputAudioRawFrame, voice), (InputDTMFFrame, self._safely(self._key)), *self.of_hearing()]

    def of_model(self) -> Notes:
        """A model's tool calls, and transcriptions if it hears by itself."""
        own: Notes = [
            (FunctionCallInProgressFrame, self._tool_call),
            (FunctionCallResultFrame, self._tool_result),
            (FunctionCallCancelFrame, self._tool_cancelled),
        ]
        return [*((kind, self._safely(_downstream(note))) for kind, note in own), *self.of_hearing()]

    def of_output(self) -> Notes:
        """What the output transport pushes once it has sent it."""
        own: Notes = [
            (TTSTextFrame, self._word),
            (BotStartedSpeakingFrame, self._sound_begins),
            (BotStoppedSpeakingFrame, self._sound_ends),
            (InterruptionFrame, self._interrupted),
        ]
        voices, take = self._call.voices, self._safely(self._agents_voice)

        def voice(frame: OutputAudioRawFrame, direction: FrameDirection) -> None:
            if voices.agent_on:
                take(frame, direction)

        return [(OutputAudioRawFrame, voice), *((kind, self._safely(_downstream(note))) for kind, note in own)]

    # --- the frames

    def _callers_voice(self, frame: InputAudioRawFrame, _: FrameDirection) -> None:
        self._caller.take(frame)

    def _agents_voice(self, frame: OutputAudioRawFrame, _: FrameDirection) -> None:
        self._agents.take(frame)

    def _key(self, frame: InputDTMFFrame, _: FrameDirection) -> None:
        self._call.dtmf(frame.button.value)

    def _word(self, frame: TTSTextFrame, _: FrameDirection) -> None:
        self._agent.speak(frame)

    def _sound_begins(self, _frame: BotStartedSpeakingFrame, _: FrameDirection) -> None:
        self._agent.begin()

    def _sound_ends(self, _frame: BotStoppedSpeakingFrame, _: FrameDirection) -> None:
        self._agent.finish()

    def _interrupted(self, _frame: InterruptionFrame, _: FrameDirection) -> None:
        self._agent.finish(interrupted=True)

    def _transcription(self, frame: TranscriptionFrame | InterimTranscriptionFrame, _: FrameDirection) -> None:
        if frame.id not in self._seen:
            self._seen.append(frame.id)
            self._hear(frame.text.strip(), final=isinstance(frame, TranscriptionFrame))

    def _tool_call(self, frame: FunctionCallInProgressFrame, _: FrameDirection) -> None:
        self._call.tool_call(frame.tool_call_id, frame.function_name, frame.arguments)

    def _tool_result(self, frame: FunctionCallResultFrame, _: FrameDirection) -> None:
        error = getattr(frame, "error", None)
        content = "" if frame.result is None and not error else error or frame.result
        self._call.tool_result(frame.tool_call_id, content, successful=not error)

    def _tool_cancelled(self, frame: FunctionCallCancelFrame, _: FrameDirection) -> None:
        self._call.tool_result(frame.tool_call_id, "Cancelled.", successful=False)

    def _safely(self, note: Note) -> Note:
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


def _downstream(note: Note) -> Note:
    """These frames go both ways, in two of them: one is enough."""

    def noted(frame: Frame, direction: FrameDirection) -> None:
        if direction is FrameDirection.DOWNSTREAM:
            note(frame, direction)

    return noted
