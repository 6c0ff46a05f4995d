"""Runs the attempts at taking a call over on this node: joins each one's pure state machine (`take_over`) with the browser's
microphone, the scripts in Redis and the feed; and clears claims that a node which died has left behind.

It knows no HTTP and no WebRTC: a microphone is whatever has `Microphone`'s events.
"""

import asyncio
import contextlib
import secrets
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from redis.asyncio import Redis

from livemon.calls.feed import AWAY, CallFeed
from livemon.calls.registry import Change, LiveCall
from livemon.metrics import TAKE_OVERS
from livemon_runtime.keys import Keys
from livemon_runtime.protocol import COMMAND_DEADLINE_MS, CommandResult

from .claim_scripts import Answer, Asking, ClaimScripts
from .role_loss import RoleLoss, Standing
from .take_over import Reason, Step, TakeOver

GRACE_MS = 30_000
CLAIM_WITHIN_MS = 2_500
"""A claim that reaches Redis later than this has no effect: more than the script's own timeout, and its way there."""
SLACK_MS = 500
"""How much longer than the deadline an answer may take on its way back."""
LOOK_AGAIN_S = 0.5
LOOK_FOR_S = 60.0
"""How long a claim of which Redis knows nothing is looked for."""
KEPT_S = 60.0
"""How long a page that was away can still read how its attempt ended."""
MOST = 200
MOST_OF_ONE_PERSON = 8
"""Attempts under way. For who has the call already there is as much room again: a caller waits for them."""
MOST_KEPT_OF_ONE_PERSON = 16
"""Attempts that are over; the oldest are forgotten."""
SWEEP_S = 1.0

_log = structlog.get_logger("livemon.control")


class Microphone(Protocol):
    """A browser's connection: its microphone up, the caller down."""

    @property
    def heard(self) -> asyncio.Event: ...
    @property
    def gone(self) -> asyncio.Event: ...
    def publish_to(self, claim_id: str) -> None: ...
    def hush(self) -> None: ...
    async def close(self) -> None: ...


Follow = Callable[[Callable[[Standing], None]], Coroutine[None, None, None]]
"""Tells how the person stands to taking calls over, at first and at each change, until it is cancelled or they are out."""


class TooMany(Exception):
    """As many attempts as there may be are under way."""


@dataclass(eq=False)
class Attempt:
    """One browser's attempt; `watchers` are called whenever its machine has moved, and once it is `over`."""

    take_over_id: str
    call_id: str
    name: str
    machine: TakeOver
    microphone: Microphone
    command_id: str
    grace_ms: int
    runtime: str
    resume: bool
    mine: tuple[str, ...]
    outranks: bool
    role: RoleLoss
    session_id: str = ""
    claim_void_at: float = 0.0
    """Monotonic seconds: a claim that is still on its way then has no effect any more."""
    watchers: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])
    todo: asyncio.Queue[Step] = field(default_factory=lambda: asyncio.Queue(maxsize=16))
    deadline: asyncio.TimerHandle | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)
    forgotten: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def user_id(self) -> str:
        return self.machine.user_id


class TakeOvers:
    """The attempts of one workspace on this node. `run` owns every task of theirs."""

    def __init__(
        self,
        redis: Redis,
        keys: Keys,
        calls: CallFeed,
        *,
        grace_ms: int = GRACE_MS,
        answer_ms: int = COMMAND_DEADLINE_MS,
        kept_s: float = KEPT_S,
        look_for_s: float = LOOK_FOR_S,
    ) -> None:
        """`answer_ms`: how long a runtime has to answer; `kept_s`: how long an attempt that is over can still be read."""
        self._look_for_s = look_for_s
        self._keys, self._calls = keys, calls
        self._grace_ms, self._answer_ms, self._kept_s = grace_ms, answer_ms, kept_s
        self._scripts = ClaimScripts(redis, keys)
        self._attempts: dict[str, Attempt] = {}
        self._coming = Counter[str]()
        """User id -> attempts for which a place is kept."""
        self._asked: dict[str, str] = {}
        """Call id -> claim id of the claims that stand, whoever made them."""
        self._tasks: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Serve attempts until cancelled; each microphone is let go then, and what was claimed stays claimed."""
        self._calls.changed.append(self._on_changes)
        self._calls.answered.append(self._on_answer)
        try:
            async with asyncio.TaskGroup() as tasks:
                self._tasks = tasks
                await self._sweep()
        finally:
            self._tasks = None
            self._calls.changed.remove(self._on_changes)
            self._calls.answered.remove(self._on_answer)

    @contextmanager
    def place(self, call_id: str, user_id: str) -> Generator[None]:
        """Keep room for an attempt while its microphone is being connected. Raises `TooMany`."""
        live = self._calls.get(call_id)
        has_it = live is not None and live.controller is not None and live.controller.user_id == user_id
        running = [one.user_id for one in self._attempts.values() if not one.over.is_set()] + [*self._coming.elements()]
        room = 2 if has_it else 1
        if len(running) >= MOST * room or running.count(user_id) >= MOST_OF_ONE_PERSON * room:
            raise TooMany
        self._coming[user_id] += 1
        try:
            yield
        finally:
            self._coming -= Counter([user_id])

    def begin(
        self,
        live: LiveCall,
        user_id: str,
        name: str,
        microphone: Microphone,
        follow: Follow | None = None,
        *,
        resume: bool = False,
        mine: tuple[str, ...] = (),
        session_id: str = "",
        over: bool = False,
    ) -> Attempt:
        """Take `live` over for a person once their microphone is heard; `resume`: only if they have it already, and, where
        `mine` names claims, by one of these; `over`: also from a supervisor who has lost the role. Asked for within a
        `place`. Raises `TooMany` while the node ends.
        """
        if self._tasks is None:
            raise TooMany
        self._forget_old(user_id)
        machine = TakeOver(secrets.token_hex(12), user_id)
        attempt = Attempt(
            take_over_id=secrets.token_urlsafe(18),
            call_id=live.call.call_id,
            name=name[:512],
            machine=machine,
            microphone=microphone,
            command_id=secrets.token_hex(16),
            grace_ms=self._grace_ms,
            runtime=live.runtime,
            resume=resume,
            mine=mine,
            session_id=session_id,
            outranks=over,
            role=RoleLoss(self._scripts, live.call.call_id, machine, self._calls.now),
        )
        self._attempts[attempt.take_over_id] = attempt
        self._tasks.create_task(self._serve(attempt, follow), name=f"take-over of {attempt.call_id}")
        return attempt

    def get(self, take_over_id: str, user_id: str) -> Attempt | None:
        """That person's attempt, also for a while after its end."""
        attempt = self._attempts.get(take_over_id)
        return attempt if attempt is not None and attempt.user_id == user_id else None

    def holds(self, user_id: str, session_id: str) -> bool:
        """Whether that person, by that session, has a call or is about to.

        One that another session of theirs has on this node is none of this one's, and one that nobody reports is no more
        theirs to answer for. Which session of another node has one cannot be known: then it counts.
        """
        running = [one for one in self._attempts.values() if one.user_id == user_id and not one.machine.final]
        if any(one.session_id == session_id for one in running):
            return True
        by_others = {one.call_id for one in running}
        return any(
            live.controller is not None
            and live.controller.user_id == user_id
            and live.quiet_since is None
            and live.call.call_id not in by_others
            for live in self._calls.registry
        )

    def give_up(self, attempt: Attempt, why: Reason) -> None:
        self._take(attempt, attempt.machine.give_up(why))

    # --- one attempt

    async def _serve(self, attempt: Attempt, follow: Follow | None) -> None:
        beside: list[Coroutine[None, None, None]] = [self._watch(attempt), attempt.role.run()]
        if follow is not None:
            beside.append(follow(lambda standing: self._stands(attempt, standing)))
        try:
            async with contextlib.AsyncExitStack() as stack:
                for one in beside:
                    stack.push_async_callback(_stopped, asyncio.ensure_future(one))
                while not attempt.machine.final:
                    await self._try(attempt, await attempt.todo.get())
        finally:
            self._settle(attempt)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(5):
                    await attempt.microphone.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._kept_s):
                await attempt.forgotten.wait()
        self._attempts.pop(attempt.take_over_id, None)

    def _forget_old(self, user_id: str) -> None:
        kept = [one for one in self._attempts.values() if one.user_id == user_id and one.over.is_set()]
        for one in kept[: max(0, len(kept) - MOST_KEPT_OF_ONE_PERSON + 1)]:
            self._attempts.pop(one.take_over_id, None)
            one.forgotten.set()

    def _stands(self, attempt: Attempt, standing: Standing) -> None:
        """What the session says. Without the role nobody gets a call, but who goes on with one that they have keeps it."""
        attempt.role.stands(standing)
        if standing is Standing.OVER:
            self._take(attempt, attempt.machine.give_up(Reason.SIGNED_OUT))
        elif standing is Standing.UNKNOWN or (standing is Standing.LOST and not attempt.resume):
            self._take(attempt, attempt.machine.give_up(Reason.SESSION_ENDED))

    async def _watch(self, attempt: Attempt) -> None:
        """Tell the machine what the browser does."""
        microphone = attempt.microphone
        events = {
            asyncio.ensure_future(microphone.heard.wait()): attempt.machine.heard,
            asyncio.ensure_future(microphone.gone.wait()): lambda: attempt.machine.give_up(_gone(attempt)),
        }
        try:
            while events:
                done, _ = await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)
                for event in done:
                    self._take(attempt, events.pop(event)())
        finally:
            for event in events:
                event.cancel()

    async def _try(self, attempt: Attempt, step: Step) -> None:
        """One fault must leave nobody in the dark: what became of the claim is then looked for."""
        try:
            await self._do(attempt, step)
        except Exception:
            _log.exception("a take-over failed", call_id=attempt.call_id, claim_id=attempt.machine.claim_id)
            self._take(attempt, attempt.machine.redis_away(Reason.BROKEN))

    async def _do(self, attempt: Attempt, step: Step) -> None:
        if step is Step.CLAIM:
            await self._claim(attempt)
        elif step is Step.WITHDRAW:
            await self._withdraw(attempt)
        elif step is Step.LOOK_AGAIN:
            await self._look_again(attempt)
        elif step is Step.AWAIT_ANSWER:
            delay = (self._answer_ms + SLACK_MS) / 1000
            attempt.deadline = asyncio.get_running_loop().call_later(
                delay, lambda: self._take(attempt, attempt.machine.deadline_passed())
            )

    async def _claim(self, attempt: Attempt) -> None:
        machine = attempt.machine
        not_after = self._calls.now() + CLAIM_WITHIN_MS
        ids = (attempt.call_id, machine.user_id, attempt.name, machine.claim_id, attempt.command_id)
        how = (attempt.resume, attempt.mine, self._answer_ms, attempt.outranks)
        asking = Asking(*ids, attempt.grace_ms, not_after, *how)
        attempt.claim_void_at = time.monotonic() + CLAIM_WITHIN_MS / 1000 + LOOK_AGAIN_S
        try:
            answer = await self._scripts.claim(asking, attempt.runtime)
            if answer.status == "moved":
                attempt.runtime = answer.runtime
                answer = await self._scripts.claim(asking, attempt.runtime)
        except AWAY as error:
            _log.warning("a claim's answer did not come", call_id=attempt.call_id, why=str(error))
            self._take(attempt, machine.redis_away())
            return
        self._take(attempt, _after_claim(machine, answer))

    async def _withdraw(self, attempt: Attempt) -> None:
        machine = attempt.machine
        try:
            answer = await self._scripts.withdraw(attempt.call_id, machine.claim_id, own=True)
        except AWAY:
            self._take(attempt, machine.redis_away())
            return
        if answer.status == "over":
            self._take(attempt, machine.over())
        elif answer.status == "unknown":
            self._take(attempt, machine.unknown())
        else:
            self._take(attempt, machine.withdrawn(answer.controller))

    async def _look_again(self, attempt: Attempt) -> None:
        """Not before a claim that is still on its way has lost its effect."""
        await asyncio.sleep(max(LOOK_AGAIN_S, attempt.claim_void_at - time.monotonic()))
        lost = time.monotonic() - attempt.claim_void_at > self._look_for_s
        self._take(attempt, attempt.machine.not_found_out() if lost else attempt.machine.look_again())

    def _take(self, attempt: Attempt, steps: list[Step]) -> None:
        """What must not wait is done at once; what needs Redis, by the attempt's own task."""
        for step in steps:
            if step is Step.PUBLISH:
                attempt.microphone.publish_to(attempt.machine.claim_id)
            elif step is Step.LET_GO:
                attempt.microphone.hush()
            attempt.todo.put_nowait(step)
        if steps:
            self._log(attempt)
            _tell(attempt)

    def _log(self, attempt: Attempt) -> None:
        machine = attempt.machine
        facts = {"call_id": attempt.call_id, "by": machine.user_id, "phase": machine.phase, "reason": machine.reason}
        _log.info("take-over", workspace=self._keys.workspace, claim_id=machine.claim_id, **facts)

    def _settle(self, attempt: Attempt) -> None:
        if attempt.deadline is not None:
            attempt.deadline.cancel()
        attempt.microphone.hush()
        machine = attempt.machine
        outcome = machine.reason if machine.final and machine.reason else "broken_off"
        TAKE_OVERS.labels(self._keys.workspace, outcome).inc()
        attempt.over.set()
        _tell(attempt)

    # --- the feed

    def _on_changes(self, changes: list[Change]) -> None:
        by_call: dict[str, list[Attempt]] = {}
        for attempt in self._attempts.values():
            by_call.setdefault(attempt.call_id, []).append(attempt)
        for change in changes:
            live = change.now
            if live.claim is not None and not live.over:
                self._asked[change.call_id] = live.claim.claim_id
            else:
                self._asked.pop(change.call_id, None)
            for attempt in by_call.get(change.call_id, ()):
                self._hear_of(attempt, live)

    def _hear_of(self, attempt: Attempt, live: LiveCall) -> None:
        machine = attempt.machine
        before = machine.holder
        steps = machine.over() if live.over else machine.call_is(live.controller)
        self._take(attempt, steps)
        if not steps and machine.holder != before:  # the same, of whom something else is said
            _tell(attempt)
        attempt.role.look()

    def _on_answer(self, result: CommandResult) -> None:
        for attempt in list(self._attempts.values()):
            if attempt.command_id == result.command_id and attempt.call_id == result.call_id:
                code, said = (result.error.code, result.error.message) if result.error else ("", "")
                self._take(attempt, attempt.machine.answered(result.ok, code, said))

    async def _sweep(self) -> None:
        """Clear claims past their deadline, whoever made them: their node may be dead."""
        while True:
            await asyncio.sleep(SWEEP_S)
            for call_id, claim_id in list(self._asked.items()):
                live = self._calls.get(call_id)
                if live is None or live.claim is None or live.claim.claim_id != claim_id:
                    self._asked.pop(call_id, None)
                elif live.claim.deadline + SLACK_MS < self._calls.now():
                    with contextlib.suppress(*AWAY):
                        await self._scripts.withdraw(call_id, claim_id, own=False)


def _tell(attempt: Attempt) -> None:
    for told in list(attempt.watchers):
        told()


def _after_claim(machine: TakeOver, answer: Answer) -> list[Step]:
    if answer.status in ("claimed", "answered"):
        return machine.claimed()  # its answer is on its way, or there already
    if answer.status == "yours" and answer.controller is not None:
        return machine.has_it(answer.controller)
    if answer.status == "held":
        return machine.held_by(answer.controller)
    if answer.status == "asked" and answer.claim is not None:
        return machine.not_claimed(Reason.ASKED_BY_OTHER, answer.claim)
    reasons = {"over": Reason.ENDED, "gone": Reason.NOT_REPORTING, "unsupported": Reason.UNSUPPORTED}
    return machine.not_claimed(reasons.get(answer.status, Reason.FAILED))


def _gone(attempt: Attempt) -> Reason:
    return Reason.CONNECTION if attempt.microphone.heard.is_set() else Reason.MICROPHONE


async def _stopped(task: "asyncio.Future[None]") -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
