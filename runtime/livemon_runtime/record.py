"""One call: what Redis should say about it, what Redis was last heard to say, and which commands make the two agree.

Pure: `commands()` gives what to send next, each with the function that takes its answer. Nothing is taken as done
before it is answered, so that sending again after a failure is always right.
"""

import secrets
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from zlib import crc32

from . import entries, protocol
from .entries import Partial
from .errors import ProtocolError
from .keys import Keys
from .outbox import Outbox
from .protocol import CONTROLLER, Call, CallStatus
from .scripts import UNKNOWN_CONTROLLER, Accepted, Announced, Appended, CallScripts, Command, Supervised, Written
from .supervisor import Supervisor
from .verdict import Verdict, claim_of

PARTIALS_EVERY_MS = 100
UNREAD_PARTIALS_EVERY_MS = 1_000
"""While Redis answers that nobody subscribes to them: whoever begins to read sees within that time what is being said."""
RESULT_KEPT_MS = 60_000
MOST_RESULTS = 1_000
MOST_PARTIALS = 100


def _nothing(_: object) -> None: ...


@dataclass(slots=True)
class Request:
    """A command, and what takes its answer (never an error)."""

    command: Command
    answered: Callable[[object], None]

    @property
    def size(self) -> int:
        """Bytes, about."""
        return sum(len(part) for part in self.command if isinstance(part, str | bytes))


@dataclass(slots=True)
class CallRecord:
    call: Call
    keys: Keys
    runtime_id: str
    start_assumed: bool = False
    """`start_timestamp` is by this machine's clock, for want of Redis's."""
    resumed: bool = False
    outbox: Outbox = field(init=False)
    scripts: CallScripts = field(init=False)
    incarnation: str = field(default_factory=lambda: secrets.token_hex(8))
    announced: bool = False
    rev: int = 0
    """The last that our own writes returned, in this incarnation."""
    ended_in_redis: bool = False
    given_up: bool = False
    controller: str | None = None
    """JSON of who holds the call, empty for nobody; None while this process has no memory of it."""
    generation: int = 0
    """The highest claim that this process has answered."""
    held: Callable[[Supervisor], None] = _nothing
    """Told who has the call as soon as `controller` says so, and before anything else is: this is whom to follow."""
    adopted: Callable[[Supervisor], None] = _nothing
    """Told after `held` if they had it before this process knew of them: its bot has not met them."""
    malformed: Callable[[ProtocolError], None] = _nothing
    """Told of a controller in Redis that is none."""
    retry_at: float = 0.0
    now_in_call: int = 0
    """Milliseconds since the call's start when an entry was last added."""
    _version: int = 1
    _sent: int = 0
    """Which version of the call Redis has."""
    _tried: int = 0
    """Which version this incarnation was first announced with: if Redis took that, it took no later one."""
    _probe: bool = False
    _partials: dict[str, Partial] = field(default_factory=lambda: dict[str, Partial]())
    _partials_at: int = 0
    _phase_ms: int = 0
    """When in a second unread partials go: those of all this runtime's calls in one pipeline, another runtime's in its own."""
    _results: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=MOST_RESULTS))
    _verdicts: deque[Verdict] = field(default_factory=lambda: deque())
    _notes: int = 0
    _heard: tuple[str, int | None] | None = None
    """Claim id, and since when (ms) its supervisor is not heard, None: heard again; to be said."""

    def __post_init__(self) -> None:
        self.scripts = CallScripts(self.keys, self.runtime_id, self.call.call_id)
        self._phase_ms = crc32(self.runtime_id.encode()) % UNREAD_PARTIALS_EVERY_MS
        self.outbox = Outbox(self._note)

    def _note(self, missing: int) -> bytes:
        self._notes += 1
        return entries.note(f"note-{self.incarnation}-{self._notes}", self.now_in_call, missing)

    # --- what the bot says ----------------------------------------------------------------------------------------

    def become(self, call: Call) -> None:
        """The call is now so."""
        self.call = call
        self._version += 1

    @property
    def over(self) -> bool:
        return self.call.call_status.final

    @property
    def settled(self) -> bool:
        """Nothing is left to send, and nothing more is to come."""
        done = self.over and self.ended_in_redis and not self.outbox.unsent and not self._results
        return self.given_up or done

    @property
    def deciding(self) -> bool:
        """A claim is being answered: who has the call is not known."""
        return bool(self._verdicts)

    @property
    def claim_id(self) -> str:
        """The claim that has the call, empty when the agent has it."""
        return claim_of(self.controller)

    def add(self, entry: bytes, time_ms: int) -> int:
        """Add an entry; answer how many older ones that Redis never got had to go for it."""
        self.now_in_call = max(self.now_in_call, time_ms)
        return self.outbox.add(entry)

    def say_partial(self, entry_id: str, entry: Partial) -> bool:
        """The latest of each turn wins, at most ten times a second. Answers whether another turn's had to go for it."""
        self._partials[entry_id] = entry
        full = len(self._partials) > MOST_PARTIALS
        if full:
            del self._partials[next(iter(self._partials))]
        return full

    def forget_partial(self, entry_id: str) -> None:
        self._partials.pop(entry_id, None)

    def say_result(self, result: str, now_ms: int) -> None:
        self._results.append((now_ms, result))

    def say_verdict(self, verdict: Verdict) -> None:
        self._verdicts.append(verdict)

    def say_heard(self, claim_id: str, lost_since: int | None) -> None:
        """Since when (ms, Redis's time) the supervisor with that claim is not heard; None: they are heard again."""
        self._heard = (claim_id, lost_since)

    def announce_again(self) -> None:
        """Redis has lost the call, or has it otherwise than it is."""
        if not self.given_up:
            self.announced, self.resumed = False, True
            self.incarnation = secrets.token_hex(8)
            self._tried = 0

    def shift(self, offset_ms: int) -> None:
        """Redis's clock is known now: what was said by this machine's own before is set right."""
        if self.start_assumed:
            self.start_assumed = False
            end = self.call.end_timestamp
            moved = {"start_timestamp": max(0, self.call.start_timestamp + offset_ms)}
            if end is not None:
                moved["end_timestamp"] = max(0, end + offset_ms)
            self.become(self.call.model_copy(update=moved))

    def probe(self) -> None:
        """Redis may have lost the transcript's tail: ask for the last entry."""
        self._probe = True

    # --- what goes to Redis ---------------------------------------------------------------------------------------

    @property
    def _writes_due(self) -> bool:
        """Whether anything but partials is to be sent."""
        if not self.announced or self._verdicts or self._results or self._probe or self.outbox.unsent:
            return True
        if self._heard is not None and not self.over:
            return True
        return not self.ended_in_redis if self.over else self._version != self._sent

    def due_in(self, now_ms: int, partials_from: int = 0) -> int | None:
        """In how many milliseconds `commands` has something to send; None: nothing, until the call says more.

        `partials_from`: when the runtime sends partials again, those of all its calls together.
        """
        if self.given_up:
            return None
        if self._writes_due:
            return 0
        return self._partials_in(now_ms, partials_from) if self._partials else None

    def _partials_in(self, now_ms: int, partials_from: int = 0) -> int:
        """In how many milliseconds partials may go; at once if Redis's clock was set back, or when the call is over."""
        wait = max(self._partials_at, partials_from) - now_ms
        return wait if 0 < wait <= UNREAD_PARTIALS_EVERY_MS and not self.over else 0

    def commands(self, now_ms: int) -> list[Request]:
        """What to send now, in this order; call again when all of it is answered, or has failed."""
        self._expire_verdicts(now_ms)
        if self.given_up:
            return []
        if not self.announced:
            return [self._announce()]
        if self._verdicts:
            return [self._decide(self._verdicts[0])]
        return [*self._live(now_ms), *self._late(now_ms)]

    def _live(self, now_ms: int) -> Iterator[Request]:
        if not self.over and self._version != self._sent:
            version = self._version
            update = self.scripts.update(self.incarnation, self._json())
            yield Request(update, lambda answer: self._written(answer, version))
        if self._heard is not None and not self.over:
            said = claim_id, since = self._heard
            silent_ms = None if since is None else max(0, now_ms - since)
            command = self.scripts.supervisor(self.incarnation, claim_id, silent_ms)
            yield Request(command, lambda answer: self._supervised(answer, said))
        if self._partials and not self._partials_in(now_ms):
            self._partials_at = now_ms + PARTIALS_EVERY_MS
            for entry_id, entry in list(self._partials.items()):
                command = ("SPUBLISH", self.keys.partials(self.call.call_id), entry.data)
                sent = (entry_id, entry, now_ms)
                yield Request(command, lambda answer, sent=sent: self._partial_sent(answer, *sent))

    def _late(self, now_ms: int) -> Iterator[Request]:
        if self.outbox.unsent or self._probe:
            number, batch = self.outbox.batch()
            yield Request(self.scripts.append(self.incarnation, number, batch), self._appended)
            if self.outbox.last >= number + len(batch):
                return
        if self.over and not self.ended_in_redis:
            yield Request(self.scripts.end(self.incarnation, self._json()), self._ended)
        while self._results and self._results[0][0] < now_ms - RESULT_KEPT_MS:
            self._results.popleft()
        for result in list(self._results):
            yield Request(self.scripts.result(result[1]), lambda _answer, sent=result: self._result_sent(sent))

    def _json(self) -> str:
        return self.call.model_dump_json(exclude_none=True)

    @property
    def last_word(self) -> str:
        """The call's JSON as its end left it."""
        return self._json()

    def _live_json(self) -> str:
        """The call as it was before its end: what ended unheard is announced first."""
        if not self.over:
            return self._json()
        status = CallStatus.TAKEN_OVER if self.controller else CallStatus.ONGOING
        live = {"call_status": status, "end_timestamp": None, "disconnection_reason": None}
        return self.call.model_copy(update=live).model_dump_json(exclude_none=True)

    def _announce(self) -> Request:
        version = self._tried = self._tried or self._version
        command = self.scripts.announce(
            self.incarnation,
            self._live_json(),
            self.call.start_timestamp,
            resumed=self.resumed,
            generation=self.generation,
            controller=UNKNOWN_CONTROLLER if self.controller is None else self.controller,
        )
        return Request(command, lambda answer: self._announced(answer, version))

    def _expire_verdicts(self, now_ms: int) -> None:
        """Nobody answered until 5 s past the deadline: refused, and this memory is what counts from now on."""
        for verdict in list(self._verdicts):
            if self.given_up or verdict.expired(now_ms):
                self._settle(verdict, accepted=False)

    def _decide(self, verdict: Verdict) -> Request:
        refusal = ("already_ended", "The call has ended.") if self.over else verdict.refusal
        if refusal:
            command = self.scripts.refuse(verdict.claim_id, verdict.command_id, *refusal)
            return Request(command, lambda answer: self._refused(verdict, answer))
        taken = self.call.model_copy(update={"call_status": CallStatus.TAKEN_OVER})
        verdict.version = verdict.version or self._version
        data = taken.model_dump_json(exclude_none=True)
        command = self.scripts.accept(verdict.claim_id, data, verdict.command_id)
        return Request(command, lambda answer: self._accepted(verdict, answer))

    # --- what Redis answers ---------------------------------------------------------------------------------------

    def _announced(self, answer: object, version: int) -> None:
        announced = Announced.read(answer)
        if announced.status == "ended":
            self.given_up = True
        elif announced.status == "held":
            self._adopt(announced.controller)
        else:
            if self.rev:
                self.outbox.redis_has(announced.last)
            else:
                self.outbox.start_after(announced.last)
            self.announced, self.rev, self._sent = True, announced.rev, version
            self.ended_in_redis = False
            if self.controller is None:
                self.controller = ""

    def _adopt(self, controller: str) -> None:
        """A call from before this process: somebody has it, and this runtime will say so."""
        try:
            held = protocol.read(CONTROLLER, controller)
        except ProtocolError as error:
            self.controller = ""  # nobody could be heard or followed by it: the agent has the call
            self.malformed(error)
            return
        self.generation = max(self.generation, held.generation)
        supervisor = Supervisor(held.claim_id, held.user_id, held.name)
        self._hold(controller, supervisor)
        self.adopted(supervisor)

    def _hold(self, controller: str, supervisor: Supervisor) -> None:
        """From now on this is who has the call."""
        self.controller = controller
        if not self.over:
            self.call.call_status = CallStatus.TAKEN_OVER
        self.held(supervisor)

    def _written(self, answer: object, version: int) -> None:
        written = Written.read(answer)
        if written.status == "announce":
            self.announce_again()
        else:
            self.rev, self._sent = written.rev, version

    def _supervised(self, answer: object, said: tuple[str, int | None]) -> None:
        supervised = Supervised.read(answer)
        if supervised.status == "announce":
            self.announce_again()
            return
        if self._heard == said:
            self._heard = None
        if supervised.status == "ok" and self.claim_id == said[0]:
            self.controller, self.rev = supervised.controller, supervised.rev

    def _appended(self, answer: object) -> None:
        appended = Appended.read(answer)
        self._probe = False
        self.outbox.redis_has(appended.last)
        if not appended.known and self.announced:
            self.announce_again()

    def _ended(self, answer: object) -> None:
        written = Written.read(answer)
        if written.status == "announce":
            self.announce_again()
        else:
            self.ended_in_redis = True
            self.rev = written.rev
            self.controller = ""

    def _partial_sent(self, readers: object, entry_id: str, entry: Partial, sent_ms: int) -> None:
        if readers == 0:
            into = (sent_ms - self._phase_ms) % UNREAD_PARTIALS_EVERY_MS
            self._partials_at = sent_ms - into + UNREAD_PARTIALS_EVERY_MS
        if self._partials.get(entry_id) is entry:
            del self._partials[entry_id]

    def _result_sent(self, result: tuple[int, str]) -> None:
        if result in self._results:
            self._results.remove(result)

    def _refused(self, verdict: Verdict, answer: object) -> None:
        written = Written.read(answer)
        self._settle(verdict, accepted=False)
        if written.status == "accepted":
            # Redis took an accept whose answer we never saw; this memory is what counts.
            self.announce_again()

    def _accepted(self, verdict: Verdict, answer: object) -> None:
        accepted = Accepted.read(answer)
        if accepted.yes:
            self.rev, self._sent = accepted.rev, verdict.version
            self._hold(accepted.controller, verdict.supervisor)
        self._settle(verdict, accepted=accepted.yes)

    def _settle(self, verdict: Verdict, *, accepted: bool) -> None:
        self._verdicts.remove(verdict)
        self.generation = max(self.generation, verdict.generation)
        verdict.settled(accepted)
