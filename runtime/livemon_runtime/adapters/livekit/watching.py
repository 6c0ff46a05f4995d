"""`watch`: one LiveKit agent's call in livemon. What livemon asks of the agent is answered here."""

from typing import Any
from weakref import WeakKeyDictionary

from livekit import rtc
from livekit.agents import AgentSession

from ...call import Call
from ...errors import LivemonError, Refusal
from ...protocol import Audio, InjectCommand
from ...runtime import Runtime
from ...supervisor import Supervisor
from ..audio import codec_for
from .agent_voice import AgentVoice
from .agent_words import AgentWords
from .attaching import Attaching
from .ending import Ending, HangUp
from .gate import Gate
from .pcm import Voice
from .recorder import Recorder
from .room import Room

_HZ = 24_000
"""LiveKit's own rate in both directions, unless it is told another."""
_THEIR_NUMBER, _OUR_NUMBER, _RULE = "sip.phoneNumber", "sip.trunkPhoneNumber", "sip.ruleID"
_WATCHED: WeakKeyDictionary[AgentSession[Any], Call] = WeakKeyDictionary()


class AlreadyWatched(LivemonError, ValueError):
    """That session's call is, or was, in livemon as `call_id`."""

    def __init__(self, call_id: str) -> None:
        super().__init__(
            f"this session is or was watched as the call {call_id}: call watch() once a session, and make a new AgentSession "
            "for each call (of one that was taken over, the agent stays silent)"
        )
        self.call_id = call_id


class OtherRoom(LivemonError, ValueError):
    """The session was started in another room than the one that was given."""

    def __init__(self, given: str, own: str) -> None:
        super().__init__(
            f"the session runs in the room {own!r}, not in {given!r}: livemon would neither see the caller leave nor be able "
            "to hang up. Give watch() the room that session.start() got, or none"
        )
        self.given, self.own = given, own


def watch(
    runtime: Runtime,
    session: AgentSession[Any],
    *,
    room: rtc.Room | None = None,
    hang_up: HangUp | None = None,
    **fields: Any,
) -> Call:
    """Put the call of `session` into livemon, before or after `session.start`, and end it there when the session closes.

    `room`: what `session.start` gets; found by itself if it is not given. `hang_up`: a coroutine function that disconnects
    the caller when livemon ends the call; without one the room is deleted. `fields` are those of `Runtime.call`. Raises
    `AlreadyWatched`, `OtherRoom`.
    """
    if (known := _WATCHED.get(session)) is not None:
        raise AlreadyWatched(known.call_id)
    own = _room_of(session)
    if room is not None and own is not None and own is not room:
        raise OtherRoom(room.name, own.name)
    sound = session.output.audio
    agent = codec_for((sound.sample_rate if sound is not None else None) or _HZ)
    given = frozenset(fields)
    fields["audio"] = Audio(caller=codec_for(_HZ), agent=agent, supervisor=agent)
    call = _WATCHED[session] = runtime.call(**fields)
    _Watching(runtime, call, session, room or own, hang_up, given)
    return call


def _room_of(session: AgentSession[Any]) -> rtc.Room | None:
    try:
        return session.room_io.room
    except RuntimeError:
        return None  # not started, or without a room


class _Watching:
    """One call's parts; the session's handlers keep it."""

    def __init__(
        self,
        runtime: Runtime,
        call: Call,
        session: AgentSession[Any],
        room: rtc.Room | None,
        hang_up: HangUp | None,
        given: frozenset[str],
    ) -> None:
        assert call.record.call.audio is not None
        audio = call.record.call.audio
        self._call, self._session, self._given = call, session, given
        self._voice = AgentVoice(call, Voice(call.agent_audio, audio.agent))
        words = AgentWords(call, lambda: self._voice.share_heard)
        caller = Voice(call.caller_audio, audio.caller)
        self._at = Attaching(call, session, runtime.drops, caller, self._voice, words)
        self._recorder = Recorder(call, runtime.drops, words)
        self._room: Room | None = None
        self._ending = Ending(call, session, self._last, lambda: self._room, hang_up)
        for event in ("conversation_item_added", "agent_state_changed", "user_state_changed"):
            session.on(event, self._recorder.safely(self._look))
        self._gate = Gate(call, session, self._cut)
        self._recorder.listen(session)
        if room is not None:
            self._enter(room)
        self._look()
        self._obey()

    def _enter(self, room: rtc.Room) -> None:
        key = self._recorder.safely(self._recorder.key)
        self._room = Room(room, self._call, self._look, self._ending.left, key)

    def _look(self, _event: object = None) -> None:
        """Something may have changed: an output, the room, the caller in it."""
        if self._call.ended:
            return
        self._at.look()
        self._gate.look()
        if self._room is None and (room := _room_of(self._session)) is not None:
            self._enter(room)
        if self._room is not None and (caller := _caller_of(self._session)) is not None:
            if self._room.caller != caller.identity:
                self._introduce(caller)
            self._room.caller = caller.identity

    def _introduce(self, caller: rtc.RemoteParticipant) -> None:
        """What a telephone trunk tells of a caller, unless the agent's program has said it."""
        if caller.kind != rtc.ParticipantKind.PARTICIPANT_KIND_SIP:
            return
        theirs, ours = (caller.attributes.get(name) for name in (_THEIR_NUMBER, _OUR_NUMBER))
        came_in = bool(caller.attributes.get(_RULE))
        known = {
            "call_type": "phone_call",
            "direction": "inbound" if came_in else "outbound",
            "from_number": theirs if came_in else ours,
            "to_number": ours if came_in else theirs,
        }
        self._call.update(**{name: value for name, value in known.items() if value and name not in self._given})

    def _cut(self) -> None:
        self._at.look()
        if self._room is not None:
            self._room.mute()
        if self._at.sound is not None:
            self._at.sound.cut()

    def _last(self) -> None:
        self._recorder.end()
        self._voice.close()

    def _obey(self) -> None:
        call = self._call
        call.on_end(self._ending.end)
        call.on_inject(self._hint)
        call.on_take_over(self._take_over)
        call.on_agent_silenced(self._silence)

    async def _hint(self, command: InjectCommand) -> None:
        if self._call.agent_silent:
            raise Refusal("A supervisor has the caller: the agent is silent and takes no hints.")
        try:
            if command.content:
                agent = self._session.current_agent
                context = agent.chat_ctx.copy()
                context.add_message(role="developer", content=command.content)
                await agent.update_chat_ctx(context, exclude_invalid_function_calls=False)
            if command.trigger_response:
                self._session.generate_reply()
        except RuntimeError as error:
            raise Refusal(f"The agent takes no hint now: {error}.") from error

    async def _take_over(self, supervisor: Supervisor) -> None:
        self._look()
        codec = self._call.supervisor_codec
        assert codec is not None
        rate = codec.form.clock
        if self._room is not None:
            await self._room.give_voice(rate)
        elif self._at.sound is None:
            raise Refusal("The agent has no audio output: nobody could be heard by the caller.")
        supervisor.hold_tone = True

        async def play(pcm: bytes) -> None:
            if self._room is not None:
                await self._room.play(pcm)
            elif self._at.sound is not None:
                await self._at.sound.play(pcm, rate)

        supervisor.on_audio(play)

    def _silence(self, silent: bool) -> None:
        if silent:
            self._gate.close()
            return
        if self._room is not None:
            self._room.unmute()
        self._gate.open()


def _caller_of(session: AgentSession[Any]) -> rtc.RemoteParticipant | None:
    try:
        return session.room_io.linked_participant
    except RuntimeError:
        return None
