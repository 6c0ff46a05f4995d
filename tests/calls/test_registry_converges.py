"""Any interleaving of late, doubled and lost events, of outages and restored data, ends in what is so."""

import copy
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from livemon.calls.events import CallEvent, StoredCall
from livemon.calls.registry import Change, Registry
from tests.calls.making import call_data, ended_data, event, stored

CALLS = ["a", "b", "c"]
NOW = 1_700_000_000_000


@dataclass
class Redis:
    """What the runtimes have written, and nothing else: a model of the truth."""

    hashes: dict[str, StoredCall] = field(default_factory=dict)
    index: set[str] = field(default_factory=set)

    def found(self, call_id: str) -> StoredCall | None:
        """As the feed reads it: live in the index, or ended."""
        one = self.hashes.get(call_id)
        return one if one and (call_id in self.index or one.call.call_status.final) else None


class RegistryAgainstTheTruth(RuleBasedStateMachine):
    @initialize()
    def begin(self):
        self.registry = Registry()
        self.redis = Redis()
        self.backup = Redis()
        self.events: list[CallEvent] = []
        self.unread = 0
        self.ended_by_runtime: set[str] = set()
        self.seen_ended: set[str] = set()
        self.incarnations = 0
        self.set_back = False

    # --- what runtimes do

    def _write(self, kind: str, call_id: str, one: StoredCall, data: dict):
        self.redis.hashes[call_id] = one
        self.events.append(
            event(kind, call_id, incarnation=one.incarnation, rev=one.rev, runtime=one.runtime, data=data)
        )

    @rule(call_id=st.sampled_from(CALLS), runtime=st.sampled_from(["rt-1", "rt-2"]))
    def announce(self, call_id: str, runtime: str):
        if call_id in self.ended_by_runtime:
            return
        self.incarnations += 1
        one = stored(call_id, incarnation=f"i{self.incarnations}", rev=1, runtime=runtime)
        self.redis.index.add(call_id)
        self._write("call_started", call_id, one, call_data(call_id))

    @rule(call_id=st.sampled_from(CALLS), name=st.sampled_from(["Ada", "Bob"]))
    def update(self, call_id: str, name: str):
        if call_id not in self.redis.index:
            return
        known = self.redis.hashes[call_id]
        data = call_data(call_id, agent_name=name)
        one = stored(call_id, incarnation=known.incarnation, rev=known.rev + 1, runtime=known.runtime, data=data)
        self._write("call_updated", call_id, one, data)

    @rule(call_id=st.sampled_from(CALLS), reason=st.sampled_from(["user_hangup", "runtime_lost"]))
    def end(self, call_id: str, reason: str):
        if call_id not in self.redis.index:
            return
        known = self.redis.hashes[call_id]
        data = ended_data(call_id, reason)
        one = stored(call_id, incarnation=known.incarnation, rev=known.rev + 1, runtime=known.runtime, data=data)
        self.redis.index.discard(call_id)
        self._write("call_ended", call_id, one, data)
        if reason != "runtime_lost":
            self.ended_by_runtime.add(call_id)

    # --- what happens to Redis

    @rule()
    def back_up(self):
        self.backup = copy.deepcopy(self.redis)

    @rule()
    def restore(self):
        self.redis = copy.deepcopy(self.backup)
        self.set_back = True

    @rule()
    def flush(self):
        self.redis = Redis()
        self.set_back = True

    # --- what the feed does

    @precondition(lambda self: self.unread < len(self.events))
    @rule()
    def read_next(self):
        self._deliver(self.events[self.unread])
        self.unread += 1

    @precondition(lambda self: self.unread < len(self.events))
    @rule()
    def lose_next(self):
        self.unread += 1

    @precondition(lambda self: self.events)
    @rule(data=st.data())
    def read_any_again(self, data):
        self._deliver(data.draw(st.sampled_from(self.events)))

    @rule()
    def snapshot(self):
        self.set_back = False
        found = {one: self.redis.found(one) for one in {*self.redis.index, *self.registry.ids()}}
        self._note(self.registry.snapshot({one: call for one, call in found.items() if call}, NOW)[0])

    @rule(runtime=st.sampled_from(["rt-1", "rt-2"]), quiet=st.booleans())
    def hear(self, runtime: str, quiet: bool):
        self._note(self.registry.quiet(runtime, NOW) if quiet else self.registry.heard(runtime))

    @rule()
    def repair(self):
        differing = {
            call_id
            for call_id in self.redis.index
            if self.registry.differs(call_id, self.redis.hashes[call_id].incarnation, self.redis.hashes[call_id].rev)
        } | (self.registry.ids() - self.redis.index - self.registry.vanished.keys())
        for call_id in differing:
            self._note(self.registry.stored(call_id, self.redis.found(call_id), NOW))

    def _deliver(self, one: CallEvent):
        self._note(self.registry.event(one, NOW))
        for call_id, started in self.registry.take_wanted().items():
            self._note(self.registry.stored(call_id, self.redis.found(call_id), NOW, started))

    def _note(self, changes: list[Change]):
        for change in changes:
            assert change.call_id not in self.seen_ended, "a call that its own runtime ended has come back"
            if change.now.over and change.now.call.disconnection_reason != "runtime_lost":
                self.seen_ended.add(change.call_id)

    # --- what must hold

    @invariant()
    def no_call_that_its_runtime_ended_has_a_row(self):
        assert not self.registry.ids() & self.seen_ended

    @invariant()
    def every_call_is_among_its_runtimes_calls(self):
        by_runtime = {
            one.call.call_id: runtime for runtime in self.registry.runtimes() for one in self.registry.calls_of(runtime)
        }
        assert by_runtime == {one.call.call_id: one.runtime for one in self.registry}

    @invariant()
    def what_vanished_has_a_row_that_says_so(self):
        assert all(self.registry.get(call_id).quiet_since is not None for call_id in self.registry.vanished)

    def teardown(self):
        if self.set_back:  # which the feed sees by the stream's last id
            self.snapshot()
        self.repair()
        truth = {one: self.redis.hashes[one] for one in self.redis.index if not self.registry.ended(one)}
        rows = {one.call.call_id: one for one in self.registry if one.call.call_id not in self.registry.vanished}
        assert {one: (row.incarnation, row.rev, row.runtime, row.call) for one, row in rows.items()} == {
            one: (call.incarnation, call.rev, call.runtime, call.call) for one, call in truth.items()
        }


RegistryAgainstTheTruth.TestCase.settings = settings(max_examples=150, stateful_step_count=40)
TestTheRegistry = RegistryAgainstTheTruth.TestCase
