"""Commands to a call's runtime, whichever address they come through: the audit log, and the words of a failure. Who may is
looked at before."""

from collections.abc import Generator
from contextlib import contextmanager

from fastapi import Request

from livemon.access.person import Person
from livemon.control.outcomes import KNOWN_CODES, CommandFailed
from livemon.store.audit.acts import Action, Outcome
from livemon.store.audit.log import Noted
from livemon.workspace import Workspace

from .errors import ApiError
from .recording import act_of, record
from .sockets import Host, words_for


async def end(host: Host, request: Request, person: Person, workspace: Workspace, call_id: str) -> None:
    """End a call. Raises `ApiError`.

    Whatever becomes of the audit log, the call ends: the entries wait for the store, if need be.
    """
    asked = host.audit.note(act_of(request, person, Action.END_CALL, Outcome.ASKED))
    with _noted(host, request, person, Action.END_CALL, asked):
        await workspace.control.end(call_id, person.user_id, person.name)


async def inject(
    host: Host,
    request: Request,
    person: Person,
    workspace: Workspace,
    call_id: str,
    content: str,
    *,
    trigger_response: bool,
) -> None:
    """Give an agent context, or have it answer now; what cannot be recorded is not done. Raises `ApiError`."""
    asked = await record(host, act_of(request, person, Action.INJECT, Outcome.ASKED))
    with _noted(host, request, person, Action.INJECT, asked):
        await workspace.control.inject(call_id, content, person.user_id, person.name, trigger_response=trigger_response)


@contextmanager
def _noted(host: Host, request: Request, person: Person, action: Action, asked: Noted) -> Generator[None]:
    """Note what comes of a command, and tell it to whoever asked."""
    outcome, detail = Outcome.BROKEN_OFF, {}
    try:
        yield
        outcome = Outcome.DONE
    except CommandFailed as failure:
        code = failure.code if failure.code in KNOWN_CODES else "other"  # a runtime may answer anything
        outcome, detail = Outcome.FAILED, {"reason": code}
        code, message = words_for(person, failure.code, str(failure))
        raise ApiError(code, message) from failure
    finally:
        host.audit.note(act_of(request, person, action, outcome, **detail), about=asked)


def has(call_id: str, person: Person, workspace: Workspace) -> bool:
    """Whether the person has the call, as its runtime says. Who has it may always end it: a right that is taken away in
    the middle of it leaves no caller behind."""
    live = workspace.calls.get(call_id)
    return live is not None and live.controller is not None and live.controller.user_id == person.user_id
