"""One attempt at a take-over, move by move; and many of them against a Redis and a runtime that may do anything allowed."""

import os

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from livemon.control.take_over import FINAL, MOVES, IllegalMove, Phase, Reason, Step, TakeOver
from livemon_runtime.protocol import Claim, Controller


def controller(claim_id: str = "mine", user_id: str = "ada") -> Controller:
    return Controller(user_id=user_id, name=user_id.title(), claim_id=claim_id, generation=1, since=1)


def attempt(*moves: str) -> TakeOver:
    """An attempt of Ada's that has gone as far as `moves` say."""
    machine = TakeOver("mine", "ada")
    for move in moves:
        getattr(machine, move)(*([controller()] if move == "has_it" else []))
    return machine


ASKED = ("heard", "claimed")
TALKING = (*ASKED, "has_it")


def test_nobody_is_asked_for_anything_before_the_microphone_is_heard():
    machine = attempt()
    assert machine.give_up(Reason.MICROPHONE) == [Step.LET_GO]
    assert (machine.phase, machine.reason) == (Phase.CANCELLED, Reason.MICROPHONE)
    assert machine.heard() == []


def test_the_microphone_brings_the_claim_and_the_runtimes_yes_the_sound():
    machine = attempt()
    assert machine.heard() == [Step.CLAIM]
    assert machine.claimed() == [Step.AWAIT_ANSWER]
    assert machine.has_it(controller()) == [Step.PUBLISH]
    assert machine.phase is Phase.TALKING
    assert machine.heard() == machine.claimed() == machine.has_it(controller()) == machine.deadline_passed() == []


def test_a_yes_that_only_the_result_says_is_not_believed():
    machine = attempt(*ASKED)
    assert machine.answered(True, "", "") == []
    assert machine.phase is Phase.ASKED


def test_the_yes_may_come_before_the_claims_own_answer():
    machine = attempt("heard")
    assert machine.call_is(controller()) == [Step.PUBLISH]
    assert machine.claimed() == []
    assert machine.phase is Phase.TALKING


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("refused", Reason.REFUSED),
        ("unsupported", Reason.UNSUPPORTED),
        ("failed", Reason.FAILED),
        ("too_late", Reason.NO_ANSWER),
        ("already_ended", Reason.ENDED),
        ("a word of a later version", Reason.REFUSED),
    ],
)
def test_a_no_leaves_the_call_with_the_agent_and_says_why(code: str, reason: Reason):
    machine = attempt(*ASKED)
    assert machine.answered(False, code, "Not now.") == [Step.LET_GO]
    assert (machine.phase, machine.reason, machine.said) == (Phase.CANCELLED, reason, "Not now.")


def test_who_is_too_late_reads_who_has_the_call():
    machine = attempt("heard")
    assert machine.not_claimed(Reason.TAKEN, controller("theirs", "grace")) == [Step.LET_GO]
    assert (machine.phase, machine.holder.user_id) == (Phase.LOST, "grace")


def test_who_asks_while_another_is_asking_has_lost():
    machine = attempt("heard")
    other = Claim(user_id="grace", name="Grace", claim_id="theirs", generation=1, deadline=9)
    machine.not_claimed(Reason.ASKED_BY_OTHER, other)
    assert (machine.phase, machine.reason, machine.holder) == (Phase.LOST, Reason.ASKED_BY_OTHER, other)


def test_no_answer_takes_the_claim_back_unless_the_yes_was_first():
    machine = attempt(*ASKED)
    assert machine.deadline_passed() == [Step.WITHDRAW]
    assert machine.withdrawn(None) == [Step.LET_GO]
    assert (machine.phase, machine.reason) == (Phase.CANCELLED, Reason.NO_ANSWER)
    machine = attempt(*ASKED, "deadline_passed")
    assert machine.withdrawn(controller()) == [Step.PUBLISH]
    assert machine.phase is Phase.TALKING


@pytest.mark.parametrize(("user_id", "reason"), [("ada", Reason.ELSEWHERE), ("grace", Reason.TAKEN)])
def test_who_was_accepted_and_followed_by_another_before_a_word_came_has_lost(user_id: str, reason: Reason):
    machine = attempt(*ASKED, "deadline_passed")
    assert machine.withdrawn(controller("theirs", user_id)) == [Step.LET_GO]
    assert (machine.phase, machine.reason) == (Phase.LOST, reason)


def test_with_redis_away_nobody_knows_until_it_answers():
    machine = attempt("heard")
    assert machine.redis_away() == [Step.LOOK_AGAIN]
    assert machine.phase is Phase.CHECKING
    assert machine.look_again() == [Step.WITHDRAW]
    assert machine.redis_away() == [Step.LOOK_AGAIN]
    machine.look_again()
    machine.withdrawn(None)
    assert (machine.phase, machine.reason) == (Phase.CANCELLED, Reason.REDIS_AWAY)


@pytest.mark.parametrize("why", [Reason.CONNECTION, Reason.ASKED])
def test_a_browser_that_goes_while_it_is_asked_takes_its_claim_back(why: Reason):
    machine = attempt(*ASKED)
    assert machine.give_up(why) == [Step.WITHDRAW]
    machine.withdrawn(None)
    assert (machine.phase, machine.reason) == (Phase.CANCELLED, why)
    machine = attempt("heard")
    assert machine.give_up(why) == []
    assert machine.claimed() == [Step.WITHDRAW]


def test_a_browser_that_went_and_yet_has_the_call_lets_nothing_out():
    machine = attempt(*ASKED)
    machine.give_up(Reason.CONNECTION)
    assert machine.withdrawn(controller()) == [Step.LET_GO]
    assert (machine.phase, machine.reason) == (Phase.LOST, Reason.CONNECTION)


def test_a_session_that_ends_keeps_the_caller_it_has_and_gets_none_that_it_has_not():
    machine = attempt(*TALKING)
    assert machine.give_up(Reason.SESSION_ENDED) == []
    assert machine.phase is Phase.TALKING
    machine = attempt(*ASKED)
    assert machine.give_up(Reason.SESSION_ENDED) == [Step.WITHDRAW]


def test_who_is_signed_out_lets_go_of_a_talk_too():
    machine = attempt(*TALKING)
    assert machine.give_up(Reason.SIGNED_OUT) == [Step.LET_GO]
    assert (machine.phase, machine.reason) == (Phase.LOST, Reason.SESSION_ENDED)


def test_who_loses_the_role_keeps_the_caller_until_somebody_has_rescued_the_call():
    machine = attempt(*TALKING)
    assert machine.call_is(controller().model_copy(update={"role_lost_since": 7})) == []
    assert (machine.phase, machine.holder.role_lost_since) == (Phase.TALKING, 7)
    assert machine.call_is(controller("theirs", "grace")) == [Step.LET_GO]
    assert (machine.phase, machine.reason, machine.holder.name) == (Phase.LOST, Reason.TAKEN, "Grace")


def test_a_call_of_which_redis_knows_nothing_is_asked_about_again_and_not_for_ever():
    machine = attempt(*ASKED, "deadline_passed")
    assert machine.unknown() == [Step.LOOK_AGAIN]
    assert machine.look_again() == [Step.WITHDRAW]
    machine.unknown()
    assert machine.not_found_out() == [Step.LET_GO]
    assert (machine.phase, machine.reason) == (Phase.LOST, Reason.NOT_REPORTING)


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (controller("other", "ada"), Reason.ELSEWHERE),
        (controller("other", "grace"), Reason.TAKEN),
        (None, Reason.AGENT),
    ],
)
def test_who_has_the_call_no_more_is_silent_at_once(now: Controller | None, reason: Reason):
    machine = attempt(*TALKING)
    assert machine.call_is(now) == [Step.LET_GO]
    assert (machine.phase, machine.reason, machine.holder) == (Phase.LOST, reason, now)


@pytest.mark.parametrize("moves", [(), ("heard",), ASKED, (*ASKED, "deadline_passed"), ("heard", "redis_away")])
def test_a_caller_who_hangs_up_before_ends_the_attempt(moves: tuple[str, ...]):
    machine = attempt(*moves)
    assert machine.over() == [Step.LET_GO]
    assert (machine.phase, machine.reason) == (Phase.CANCELLED, Reason.ENDED)


def test_a_caller_who_hangs_up_in_the_talk_ends_it_for_good():
    machine = attempt(*TALKING)
    assert machine.over() == [Step.LET_GO]
    assert machine.phase is Phase.ENDED
    for move in ("heard", "claimed", "redis_away", "look_again", "deadline_passed", "over"):
        assert getattr(machine, move)() == []
    assert machine.give_up(Reason.ASKED) == machine.call_is(controller()) == machine.answered(False, "x", "") == []


def test_a_move_that_the_table_has_not_is_refused():
    machine = attempt()
    with pytest.raises(IllegalMove, match="connecting to talking"):
        machine._move(Phase.TALKING)


def test_what_is_final_has_no_way_out():
    assert all(not MOVES[phase] for phase in FINAL)
    assert MOVES.keys() == set(Phase)


# --- many attempts, one call


class World(RuleBasedStateMachine):
    """The truth (one call in Redis and its runtime), and attempts that hear of it late, in part, or not at all.

    Each script is sent, runs or is lost, and its answer comes or is lost; what changed reaches each attempt in order.
    """

    @initialize()
    def begin(self):
        self.machines: list[TakeOver] = []
        self.admins: set[int] = set()
        """Those of them that may take a call from who has lost the role."""
        self.scripts: dict[int, str] = {}
        self.answers: dict[int, tuple] = {}
        self.waiting: set[int] = set()
        self.news: dict[int, list] = {}
        self.claim: tuple[str, str] | None = None
        self.holder: Controller | None = None
        self.accepted: list[str] = []
        self.refused: set[str] = set()
        self.live = True
        self.known = True
        """Whether Redis knows the call; not after it was emptied, until the runtime announces it again."""
        self.made: set[str] = set()
        self.published: set[int] = set()

    def _do(self, n: int, steps: list[Step]) -> None:
        machine = self.machines[n]
        for step in steps:
            if step is Step.PUBLISH:
                assert machine.claim_id in self.accepted, "sound goes towards the call before the runtime's yes"
                self.published.add(n)
            elif step is Step.LET_GO:
                self.published.discard(n)
            elif step in (Step.CLAIM, Step.WITHDRAW):
                assert n not in self.scripts, "two scripts at once"
                self.scripts[n] = step
            elif step is Step.AWAIT_ANSWER:
                self.waiting.add(n)

    def _tell(self, *news) -> None:
        for waiting in self.news.values():
            waiting.append(news)

    def _choose(self, data, numbers):
        return data.draw(st.sampled_from(sorted(numbers)))

    @rule(user=st.sampled_from(["ada", "grace"]), admin=st.booleans())
    def a_supervisor_presses(self, user, admin):
        if len(self.machines) < 5:
            n = len(self.machines)
            if admin:
                self.admins.add(n)
            self.machines.append(TakeOver(f"claim-{n}", user))
            self.news[n] = []

    @precondition(lambda self: self.machines)
    @rule(data=st.data())
    def a_microphone_is_heard(self, data):
        n = self._choose(data, range(len(self.machines)))
        self._do(n, self.machines[n].heard())

    @precondition(lambda self: self.machines)
    @rule(
        data=st.data(), why=st.sampled_from([Reason.CONNECTION, Reason.ASKED, Reason.SESSION_ENDED, Reason.SIGNED_OUT])
    )
    def a_browser_gives_up(self, data, why):
        n = self._choose(data, range(len(self.machines)))
        self._do(n, self.machines[n].give_up(why))

    @precondition(lambda self: self.scripts)
    @rule(data=st.data(), heard=st.booleans())
    def a_script_runs(self, data, heard):
        """Its answer is on its way, or is lost."""
        n = self._choose(data, self.scripts)
        answer = self._claim(n) if self.scripts.pop(n) == Step.CLAIM else self._withdraw(n)
        if heard:
            self.answers[n] = answer
        else:
            self._do(n, self.machines[n].redis_away())

    @precondition(lambda self: self.scripts)
    @rule(data=st.data())
    def a_script_runs_and_is_sent_once_more(self, data):
        """Its connection broke before the answer was read."""
        n = self._choose(data, self.scripts)
        _ = self._claim(n) if self.scripts[n] == Step.CLAIM else self._withdraw(n)

    @precondition(lambda self: self.scripts)
    @rule(data=st.data())
    def a_script_is_lost(self, data):
        n = self._choose(data, self.scripts)
        del self.scripts[n]
        self._do(n, self.machines[n].redis_away())

    def _claim(self, n: int) -> tuple:
        machine = self.machines[n]
        if self.known and self.holder and self.holder.claim_id == machine.claim_id:
            return ("has_it", self.holder)
        if self.known and machine.claim_id in self.made:
            return ("claimed",)  # it stands, or was answered
        if not self.live:
            return ("not_claimed", Reason.ENDED)
        if not self.known:
            return ("not_claimed", Reason.NOT_REPORTING)
        rescued = self.holder and self.holder.role_lost_since is not None and n in self.admins
        heard = self.holder and self.holder.lost_since is None and not rescued
        if heard and self.holder.user_id != machine.user_id:
            return ("not_claimed", Reason.TAKEN, self.holder)
        if self.claim:
            other = Claim(user_id=self.claim[1], name="x", claim_id=self.claim[0], generation=1, deadline=1)
            return ("not_claimed", Reason.ASKED_BY_OTHER, other)
        self.claim = (machine.claim_id, machine.user_id)
        self.made.add(machine.claim_id)
        return ("claimed",)

    def _withdraw(self, n: int) -> tuple:
        if not self.known and self.live:
            return ("unknown",)
        if self.claim and self.claim[0] == self.machines[n].claim_id:
            self.claim = None
        return ("withdrawn", self.holder) if self.live else ("over",)

    @precondition(lambda self: self.answers)
    @rule(data=st.data())
    def an_answer_comes(self, data):
        n = self._choose(data, self.answers)
        name, *arguments = self.answers.pop(n)
        self._do(n, getattr(self.machines[n], name)(*arguments))

    @precondition(lambda self: self.machines)
    @rule(data=st.data())
    def redis_answers_again(self, data):
        n = self._choose(data, range(len(self.machines)))
        if n not in self.scripts:
            self._do(n, self.machines[n].look_again())

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def a_deadline_passes(self, data):
        n = self._choose(data, self.waiting)
        self.waiting.discard(n)
        self._do(n, self.machines[n].deadline_passed())

    @precondition(lambda self: self.claim)
    @rule(yes=st.booleans())
    def the_runtime_answers(self, yes):
        (claim_id, user_id), self.claim = self.claim, None
        if yes and self.live:
            self.holder = controller(claim_id, user_id)
            self.accepted.append(claim_id)
            self._tell("call_is", self.holder)
        else:
            self.refused.add(claim_id)
            n = int(claim_id.removeprefix("claim-"))
            self.news[n].append(("answered", False, "refused", "Not now."))

    @precondition(lambda self: self.holder and self.holder.lost_since is None)
    @rule()
    def the_supervisor_is_not_heard(self):
        self.holder = self.holder.model_copy(update={"lost_since": 5})
        self._tell("call_is", self.holder)

    @precondition(lambda self: self.holder)
    @rule(lost=st.booleans())
    def the_supervisor_loses_the_role_or_has_it_again(self, lost):
        self.holder = self.holder.model_copy(update={"role_lost_since": 7 if lost else None})
        self._tell("call_is", self.holder)

    @precondition(lambda self: self.live and self.known and self.machines)
    @rule()
    def redis_is_emptied(self):
        self.known, self.claim = False, None

    @precondition(lambda self: not self.known)
    @rule()
    def the_runtime_announces_the_call_again(self):
        self.known = True
        self._tell("call_is", self.holder)

    @precondition(lambda self: self.machines)
    @rule(data=st.data())
    def nobody_looks_any_more(self, data):
        n = self._choose(data, range(len(self.machines)))
        if n not in self.scripts:
            self._do(n, self.machines[n].not_found_out())

    @precondition(lambda self: self.live and self.machines)
    @rule()
    def the_caller_hangs_up(self):
        self.live, self.claim, self.holder = False, None, None
        self._tell("over")

    @precondition(lambda self: any(self.news.values()))
    @rule(data=st.data())
    def news_arrive(self, data):
        n = self._choose(data, [n for n, news in self.news.items() if news])
        name, *arguments = self.news[n].pop(0)
        self._do(n, getattr(self.machines[n], name)(*arguments))

    @invariant()
    def what_each_page_says_is_allowed_by_the_truth(self):
        for n, machine in enumerate(getattr(self, "machines", [])):
            mine = machine.claim_id in self.accepted
            if machine.phase is Phase.TALKING:
                assert mine, "talking without the runtime's yes"
            elif machine.phase is Phase.CANCELLED and machine.reason is not Reason.ENDED:
                assert not mine, "«the agent keeps the call» although this claim silenced it"
            if machine.final:
                assert n not in self.published
                pending = self.scripts.get(n) is Step.CLAIM and machine.claim_id not in self.made
                assert not pending or machine.reason is Reason.ENDED

    @invariant()
    def at_most_one_has_the_call_once_all_news_are_read(self):
        talking = [n for n, machine in enumerate(getattr(self, "machines", [])) if machine.phase is Phase.TALKING]
        told = [n for n in talking if not self.news[n]]
        assert len(told) <= 1
        if told and self.live:
            assert self.holder
            assert self.holder.claim_id == self.machines[told[0]].claim_id

    def teardown(self):
        """Once everything has been said, nobody is left in doubt."""
        if not getattr(self, "known", True):
            self.the_runtime_announces_the_call_again()
        for _ in range(20):
            for n, machine in enumerate(getattr(self, "machines", [])):
                if n in self.scripts:
                    answer = self._claim(n) if self.scripts.pop(n) == Step.CLAIM else self._withdraw(n)
                    self.answers[n] = answer
                if n in self.answers:
                    name, *arguments = self.answers.pop(n)
                    self._do(n, getattr(machine, name)(*arguments))
                while self.news[n]:
                    name, *arguments = self.news[n].pop(0)
                    self._do(n, getattr(machine, name)(*arguments))
                self._do(n, machine.deadline_passed())
                self._do(n, machine.look_again())
        for machine in getattr(self, "machines", []):
            assert machine.final or machine.phase in (Phase.TALKING, Phase.CONNECTING), machine
        self.what_each_page_says_is_allowed_by_the_truth()
        if getattr(self, "machines", None):
            self.at_most_one_has_the_call_once_all_news_are_read()


STEPS = int(os.environ.get("LIVEMON_TAKE_OVER_STEPS", "500"))
"""In all: 20,000 in the long run."""

TestManyAttemptsAtOneCall = World.TestCase
TestManyAttemptsAtOneCall.settings = settings(
    max_examples=max(10, STEPS // 50),
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.filter_too_much],
)
