"""One supervisor's attempt to take a call over, from the microphone to the end (docs/protocol.md, «Take-over»). Pure.

What happens comes in as method calls, what is to be done comes out as `Step`s; no I/O, no clock. It never says «talking»
unless Redis has said that this very claim has the call, and never lets a packet out before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from livemon_runtime.protocol import Claim, Controller

Holder = Claim | Controller


class Phase(StrEnum):
    """Where an attempt stands; the last three are final."""

    CONNECTING = "connecting"
    """The microphone has not been heard: nobody has been asked for anything."""
    CLAIMING = "claiming"
    """The claim is on its way to Redis."""
    ASKED = "asked"
    """The claim stands, and the runtime is asked."""
    WITHDRAWING = "withdrawing"
    """The claim is being taken back; accept may still be first."""
    CHECKING = "checking"
    """Redis has not answered: nobody knows."""
    TALKING = "talking"
    CANCELLED = "cancelled"
    """The agent, or whoever had the call, has it still."""
    LOST = "lost"
    """Somebody else has the call, or this connection has it no more."""
    ENDED = "ended"
    """The call is over."""


FINAL = frozenset({Phase.CANCELLED, Phase.LOST, Phase.ENDED})
_ENDINGS = frozenset({Phase.CANCELLED, Phase.LOST})
MOVES: Mapping[Phase, frozenset[Phase]] = {
    Phase.CONNECTING: frozenset({Phase.CLAIMING, Phase.CANCELLED}),
    Phase.CLAIMING: _ENDINGS | {Phase.ASKED, Phase.WITHDRAWING, Phase.CHECKING, Phase.TALKING},
    Phase.ASKED: _ENDINGS | {Phase.WITHDRAWING, Phase.TALKING},
    Phase.WITHDRAWING: _ENDINGS | {Phase.CHECKING, Phase.TALKING},
    Phase.CHECKING: _ENDINGS | {Phase.WITHDRAWING, Phase.TALKING},
    Phase.TALKING: frozenset({Phase.LOST, Phase.ENDED}),
    **{phase: frozenset() for phase in FINAL},
}


class Step(StrEnum):
    """What the shell has to do next."""

    CLAIM = "claim"
    WITHDRAW = "withdraw"
    AWAIT_ANSWER = "await_answer"
    """Until the claim's deadline: then `deadline_passed`."""
    LOOK_AGAIN = "look_again"
    """Withdraw once Redis answers again."""
    PUBLISH = "publish"
    """Send the microphone on the claim's channel."""
    LET_GO = "let_go"
    """Stop sending, at once, and close the connection to the browser."""


class Reason(StrEnum):
    """Why an attempt ended; docs/interfaces.md."""

    MICROPHONE = "microphone"
    CONNECTION = "connection"
    ASKED = "asked"
    SESSION_ENDED = "session_ended"
    """The right or the session is gone, or neither can be shown: before the call is theirs, nobody is asked for it."""
    SIGNED_OUT = "signed_out"
    """The session is known to be over, whoever ended it: not even a talk goes on. Told as `SESSION_ENDED`."""
    REFUSED = "refused"
    UNSUPPORTED = "unsupported"
    NO_ANSWER = "no_answer"
    NOT_REPORTING = "not_reporting"
    REDIS_AWAY = "redis_away"
    BROKEN = "broken"
    """A fault of livemon's own."""
    ENDED = "ended"
    FAILED = "failed"
    TAKEN = "taken"
    ASKED_BY_OTHER = "asked_by_other"
    ELSEWHERE = "elsewhere"
    AGENT = "agent"


_NOBODY_THERE = frozenset({Reason.CONNECTION, Reason.MICROPHONE, Reason.ASKED, Reason.SIGNED_OUT})
"""The browser has gone while it was being decided: nobody would talk."""


class IllegalMove(RuntimeError):
    def __init__(self, before: Phase, after: Phase) -> None:
        super().__init__(f"a take-over cannot go from {before} to {after}")


@dataclass
class TakeOver:
    """`claim_id` is this attempt's own, made before anything is asked."""

    claim_id: str
    user_id: str
    phase: Phase = Phase.CONNECTING
    reason: Reason | None = None
    said: str = ""
    """What the runtime gave as its reason."""
    holder: Holder | None = None
    """Who has the call (or asks for it) instead, in `LOST`; the own controller in `TALKING`."""
    _why: Reason | None = None
    """Why the claim is to be taken back, once it can be."""

    @property
    def final(self) -> bool:
        return self.phase in FINAL

    # --- the browser

    def heard(self) -> list[Step]:
        """The microphone's first packet is here."""
        if self.phase is not Phase.CONNECTING:
            return []
        self._move(Phase.CLAIMING)
        return [Step.CLAIM]

    def give_up(self, why: Reason) -> list[Step]:
        """The microphone or the connection is gone, the person thinks better of it, or may not any more."""
        if self.phase is Phase.CONNECTING:
            return self._finish(Phase.CANCELLED, why)
        if self.phase is Phase.TALKING:
            return [] if why is Reason.SESSION_ENDED else self._finish(Phase.LOST, why, self.holder)
        if self.final:
            return []
        self._why = self._why or why
        if self.phase is Phase.ASKED:
            self._move(Phase.WITHDRAWING)
            return [Step.WITHDRAW]
        return []

    # --- Redis

    def claimed(self) -> list[Step]:
        """The claim stands; the runtime is asked."""
        if self.phase is not Phase.CLAIMING:
            return []
        if self._why is not None:
            self._move(Phase.WITHDRAWING)
            return [Step.WITHDRAW]
        self._move(Phase.ASKED)
        return [Step.AWAIT_ANSWER]

    def not_claimed(self, reason: Reason, holder: Holder | None = None) -> list[Step]:
        """The claim was not made: somebody has the call or asks for it (`holder`), or it cannot be had."""
        if self.phase is not Phase.CLAIMING:
            return []
        return self._finish(Phase.LOST if holder else Phase.CANCELLED, self._why or reason, holder)

    def held_by(self, controller: Controller | None) -> list[Step]:
        """The claim was not made: `controller` has the call, None: the agent, and there was nothing to go on with."""
        return self.not_claimed(self._loss(controller) if controller else Reason.AGENT, controller)

    def redis_away(self, why: Reason = Reason.REDIS_AWAY) -> list[Step]:
        """A script's answer did not come: it may have run."""
        if self.phase not in (Phase.CLAIMING, Phase.WITHDRAWING):
            return []
        self._why = self._why or (why if self.phase is Phase.CLAIMING else None)
        self._move(Phase.CHECKING)
        return [Step.LOOK_AGAIN]

    def look_again(self) -> list[Step]:
        """Redis answers again, and no script that was sent can still run."""
        if self.phase is not Phase.CHECKING:
            return []
        self._move(Phase.WITHDRAWING)
        return [Step.WITHDRAW]

    def deadline_passed(self) -> list[Step]:
        if self.phase is not Phase.ASKED:
            return []
        self._why = Reason.NO_ANSWER
        self._move(Phase.WITHDRAWING)
        return [Step.WITHDRAW]

    def unknown(self) -> list[Step]:
        """Redis knows nothing of the call (it was emptied): its runtime has yet to say who has it."""
        if self.phase is not Phase.WITHDRAWING:
            return []
        self._move(Phase.CHECKING)
        return [Step.LOOK_AGAIN]

    def not_found_out(self) -> list[Step]:
        """Nobody could say for so long that nobody waits any more: all that is known is that this microphone is off."""
        if self.phase is not Phase.CHECKING:
            return []
        return self._finish(Phase.LOST, Reason.NOT_REPORTING)

    def withdrawn(self, holder: Controller | None) -> list[Step]:
        """The claim does not stand (any more); `holder` has the call, None: the agent."""
        if self.phase is not Phase.WITHDRAWING:
            return []
        if holder is not None and holder.claim_id == self.claim_id:
            return self.has_it(holder)
        if holder is not None:  # this claim may have had the call, and lost it, without a word having come
            return self._finish(Phase.LOST, self._loss(holder), holder)
        return self._finish(Phase.CANCELLED, self._why or Reason.NO_ANSWER)

    # --- the runtime

    def answered(self, ok: bool, code: str, said: str) -> list[Step]:
        """The runtime's result of the command. A yes is believed only from who holds the call: `has_it`."""
        if ok or self.phase not in (Phase.CLAIMING, Phase.ASKED, Phase.WITHDRAWING, Phase.CHECKING):
            return []
        reasons = {"unsupported": Reason.UNSUPPORTED, "failed": Reason.FAILED, "too_late": Reason.NO_ANSWER}
        reasons |= {"already_ended": Reason.ENDED, "not_found": Reason.ENDED}
        self.said = said
        return self._finish(Phase.CANCELLED, self._why or reasons.get(code, Reason.REFUSED))

    def has_it(self, controller: Controller) -> list[Step]:
        """Redis says that this claim has the call."""
        if self.phase in (Phase.CONNECTING, Phase.TALKING) or self.final:
            return []
        self.holder = controller
        if self._why is not None and self._why in _NOBODY_THERE:
            return self._finish(Phase.LOST, self._why, controller)
        self._why = None
        self._move(Phase.TALKING)
        return [Step.PUBLISH]

    def call_is(self, controller: Controller | None) -> list[Step]:
        """Who has the live call as the registry knows it."""
        if controller is not None and controller.claim_id == self.claim_id:
            if self.phase is Phase.TALKING:
                self.holder = controller
            return self.has_it(controller)
        if self.phase is not Phase.TALKING:
            return []
        if controller is None:
            return self._finish(Phase.LOST, Reason.AGENT)
        return self._finish(Phase.LOST, self._loss(controller), controller)

    def over(self) -> list[Step]:
        """The call has ended."""
        if self.final:
            return []
        if self.phase is Phase.TALKING:
            return self._finish(Phase.ENDED, Reason.ENDED)
        return self._finish(Phase.CANCELLED, Reason.ENDED)

    # --- within

    def _loss(self, holder: Controller) -> Reason:
        if self._why is not None and self._why in _NOBODY_THERE:
            return self._why
        return Reason.ELSEWHERE if holder.user_id == self.user_id else Reason.TAKEN

    def _finish(self, phase: Phase, reason: Reason, holder: Holder | None = None) -> list[Step]:
        self._move(phase)
        self.reason, self.holder = Reason.SESSION_ENDED if reason is Reason.SIGNED_OUT else reason, holder
        return [Step.LET_GO]

    def _move(self, phase: Phase) -> None:
        if phase not in MOVES[self.phase]:
            raise IllegalMove(self.phase, phase)
        self.phase = phase
