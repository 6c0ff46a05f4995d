"""Asking for a call as a participant, by whichever way it asks, and what is answered once it is known who has the call.

That a call is taken over is said only when its runtime has accepted, and nobody is asked before the microphone is heard.
"""

import asyncio
import time
from functools import partial

from starlette.requests import HTTPConnection

from livemon.access.person import Person
from livemon.api.errors import ApiError
from livemon.api.sockets import Host, words_for
from livemon.api.take_over import attempt_by, recorded, too_many
from livemon.control.outcomes import Declined
from livemon.control.take_over import Phase, Reason, TakeOver
from livemon.control.take_overs import Attempt, TooMany

from .participants import Participant

DECIDED_WITHIN_S = 20.0
"""Longer than a runtime has to answer and a claim to be taken back; who waits longer is told that nobody knows."""
NO_RETRY = {"X-Should-Retry": "false"}
"""Retell's clients repeat whatever answers 409 or from 500 up, unless they are told not to: here each try is a person's."""


async def take_over(host: Host, connection: HTTPConnection, person: Person, participant: Participant) -> None:
    """Take the participant's call over for it; done once it has the call. Raises `ApiError`, which says who has it."""
    attempt = await _asked_for(host, connection, person, participant)
    await _decided(attempt)
    if attempt.machine.phase is Phase.TALKING:
        return
    failure = _failure(attempt.machine, person)
    if attempt.machine.final:
        participant.failure = failure
    raise failure


async def _asked_for(host: Host, connection: HTTPConnection, person: Person, participant: Participant) -> Attempt:
    """The participant's take-over: the one under way, or a new one. Raises `ApiError`."""
    async with participant.asking:
        if participant.talks:
            assert participant.attempt is not None
            return participant.attempt
        link = participant.link
        if link is None or not link.speaks(time.monotonic()):
            raise participant.failure or _not_heard()
        attempt, _ = await recorded(host, connection, person, partial(_begin, host, person, participant))
        participant.follow(attempt)
        return attempt


async def _begin(host: Host, person: Person, participant: Participant) -> tuple[Attempt, None]:
    workspace, link = participant.workspace, participant.link
    assert link is not None
    try:
        with workspace.take_overs.place(participant.call_id, person.user_id):
            return await attempt_by(host, person, workspace, link), None
    except TooMany as error:
        raise too_many() from error


async def _decided(attempt: Attempt) -> None:
    """Wait until it is known who has the call, or that nobody can say."""
    moved = asyncio.Event()
    attempt.watchers.append(moved.set)
    try:
        async with asyncio.timeout(DECIDED_WITHIN_S):
            while attempt.machine.phase not in _DECIDED:
                moved.clear()
                await moved.wait()
    except TimeoutError:
        return
    finally:
        attempt.watchers.remove(moved.set)


_DECIDED = (Phase.TALKING, Phase.CHECKING, Phase.CANCELLED, Phase.LOST, Phase.ENDED)
_AS_COMMANDS = {
    Reason.REFUSED: "refused",
    Reason.FAILED: "failed",
    Reason.UNSUPPORTED: "unsupported",
    Reason.ENDED: "already_ended",
}
"""What a runtime answers to any command, in the same words."""


def _failure(machine: TakeOver, person: Person) -> ApiError:
    """Why the call was not taken over, as the program may read it."""
    if not machine.final:
        return not_again("redis_away", _NOBODY_KNOWS)
    if machine.phase is Phase.LOST and machine.holder is not None:
        who = machine.holder.name
        return not_again("taken", f"{who} has this call, or is just taking it over, so it was not taken from them.")
    if (code := _AS_COMMANDS.get(machine.reason or Reason.BROKEN)) is not None:
        (said,) = words_for(person, machine.said)
        return not_again(code, str(Declined(code, said)))
    code, words = _WORDS.get(machine.reason or Reason.BROKEN, ("failed", _BROKEN))
    return not_again(code, words)


_NOBODY_KNOWS = (
    "livemon cannot reach Redis right now, so nobody knows yet whether the call has been taken over: the agent holds its"
    " tongue meanwhile. Keep the microphone open; the signalling socket says who has the call as soon as that is known."
)
_BROKEN = "Taking the call over failed in livemon itself, and was taken back: the agent has the call. Please try again."
_SILENT = (
    "Nothing of this participant's microphone is arriving at livemon, so nobody was asked for the call and the agent goes"
    ' on. Send {"type": "talk", "sdp"} on the signalling socket, connect, and ask again once it is connected; silence'
    " counts as sound, no packets do not."
)
_WORDS: dict[Reason, tuple[str, str]] = {
    Reason.NO_ANSWER: (
        "no_answer",
        "The agent's process has not answered in time, so the claim was taken back: the agent has the call. Try again.",
    ),
    Reason.NOT_REPORTING: (
        "no_answer",
        "The agent's process is not reporting, so it could not be asked. The call may go on unseen. Try again when it does.",
    ),
    Reason.REDIS_AWAY: (
        "redis_away",
        "livemon could not reach Redis, and the claim was taken back: the agent has the call. Try again in a few seconds.",
    ),
    Reason.MICROPHONE: ("microphone_not_heard", _SILENT),
    Reason.CONNECTION: (
        "microphone_not_heard",
        "The microphone's connection was lost before the call was taken over; the agent goes on. Connect anew, then try again.",
    ),
    Reason.ASKED: ("cancelled", "The take-over was cancelled before it came about: the agent has the call."),
    Reason.SESSION_ENDED: (
        "forbidden",
        "This key is good no more, or not for taking calls over, so the call was not taken over: the agent has it.",
    ),
}


def _not_heard() -> ApiError:
    return not_again("microphone_not_heard", _SILENT)


def not_again(code: str, message: str) -> ApiError:
    """A failure that Retell's clients do not try again by themselves."""
    return ApiError(code, message, NO_RETRY)
