"""Which channels of a call are read into its voices: caller's, agent's, and that of the supervisor who has it.

A supervisor speaks on a channel of the claim's own (docs/protocol.md, «Take-over»). Only the claim that the runtime
has accepted is read: one that merely stands is heard by nobody, and one that another has followed no more.
"""

from functools import partial

from livemon_runtime.keys import Keys
from livemon_runtime.protocol import Controller

from .audio_reader import AudioReader
from .voices import RUNTIME_VOICES, CallVoices


class CallChannels:
    """One call's subscriptions, from now until `close`."""

    def __init__(self, reader: AudioReader, keys: Keys, voices: CallVoices) -> None:
        self.voices = voices
        self._reader, self._keys = reader, keys
        self._claim_id: str | None = None
        for voice in RUNTIME_VOICES:
            reader.subscribe(keys.audio(voices.call_id, voice), partial(voices.take, voice))

    def follow(self, controller: Controller | None) -> None:
        """Read the supervisor who has the call now, and whoever had it before no more. None: the agent has it."""
        claim_id = controller.claim_id if controller else None
        if claim_id == self._claim_id:
            return
        if self._claim_id is not None:
            self._reader.unsubscribe(self._keys.supervisor(self.voices.call_id, self._claim_id))
        self._claim_id = claim_id
        if claim_id is not None:
            channel = self._keys.supervisor(self.voices.call_id, claim_id)
            self._reader.subscribe(channel, partial(self.voices.take, "supervisor"))

    def close(self) -> None:
        """Read nothing of the call any more."""
        self.follow(None)
        for voice in RUNTIME_VOICES:
            self._reader.unsubscribe(self._keys.audio(self.voices.call_id, voice))
