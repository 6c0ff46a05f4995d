"""What a carrier plays and which marks it has passed, against a plain model of one that plays byte by byte."""

import base64
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from livemon_runtime.adapters.twilio.agent import Agent
from livemon_runtime.adapters.twilio.playout import MOST_KEPT, MOST_MARKS, RATE, Playout
from livemon_runtime.adapters.twilio.supervisor_pace import MOST_AHEAD_MS, SupervisorPace


class Plain:
    """A carrier as it is documented, 1 ms after 1 ms."""

    def __init__(self) -> None:
        self.queue: deque[int | str] = deque()
        self.played: list[int] = []
        self.marks: list[str] = []

    def run(self, ms: int) -> None:
        for _ in range(ms * 8):
            self.pass_marks()
            if self.queue:
                byte = self.queue.popleft()
                assert isinstance(byte, int)
                self.played.append(byte)
        self.pass_marks()

    def pass_marks(self) -> None:
        while self.queue and isinstance(self.queue[0], str):
            self.marks.append(str(self.queue.popleft()))

    def clear(self) -> list[str]:
        names = [piece for piece in self.queue if isinstance(piece, str)]
        self.queue.clear()
        return names


steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.integers(1, 1_500)),
        st.tuples(st.just("mark"), st.just(0)),
        st.tuples(st.just("clear"), st.just(0)),
        st.tuples(st.just("wait"), st.integers(1, 120)),
    ),
    max_size=25,
)


@given(steps)
def test_it_plays_what_a_plain_carrier_plays_byte_for_byte_and_passes_the_same_marks(
    done: list[tuple[str, int]],
) -> None:
    plain, playout = Plain(), Playout()
    at, next_byte, heard, marks = 0.0, 0, b"", list[str]()
    for n, (step, size) in enumerate(done):
        if step == "add":
            sound = bytes((next_byte + k) % 251 for k in range(size))
            next_byte += size
            plain.queue.extend(sound)
            playout.add(size, base64.b64encode(sound).decode(), at)
        elif step == "mark":
            plain.queue.append(f"m{n}")
            plain.pass_marks()
            playout.mark(f"m{n}", at)
            marks += playout.passed(at)
        elif step == "clear":
            heard += b"".join(playout.take(at))
            names = playout.clear(at)
            assert names == plain.clear()
            heard += b"".join(playout.take(at))
        else:
            plain.run(size)
            at += size / 1000
            heard += b"".join(playout.take(at))
            marks += playout.passed(at)
    played = bytes(plain.played)
    assert marks == plain.marks
    assert played.startswith(heard)
    assert len(played) - len(heard) < 160, "more than a frame is held back"


@given(st.lists(st.integers(1, 50_000), max_size=60))
def test_a_bot_that_sends_hours_ahead_fills_no_memory(sizes: list[int]) -> None:
    playout = Playout()
    sound = base64.b64encode(bytes(50_000)).decode()
    for size in sizes:
        playout.add(size * 40, sound, 0.0)
    assert playout._kept <= MOST_KEPT
    assert len(playout._pieces) <= MOST_KEPT // 40 + 2


def test_more_marks_than_are_kept_forget_the_oldest() -> None:
    playout = Playout()
    playout.add(RATE, None, 0.0)
    for n in range(MOST_MARKS + 5):
        playout.mark(str(n), 0.0)
    assert playout.lost_marks == 5
    assert playout.passed(2.0)[0] == "5"


def test_a_mark_that_comes_back_says_where_the_carrier_is() -> None:
    playout = Playout()
    playout.add(10 * RATE, None, 0.0)
    playout.mark("one", 0.0)
    playout.add(10 * RATE, None, 0.0)
    assert playout.echoed("one", 13.0)  # three seconds later than the clock says
    assert playout.played(13.0) == 10 * RATE
    assert playout.played(14.0) == 11 * RATE
    assert not playout.echoed("one", 14.0)


def test_what_is_no_base64_is_as_long_a_silence() -> None:
    playout = Playout()
    playout.add(160, "!" * 216, 0.0)
    assert playout.take(1.0) == [b"\xff" * 160]


def test_who_begins_to_listen_in_the_middle_hears_from_there() -> None:
    playout = Playout()
    playout.add(320, base64.b64encode(b"\1" * 160 + b"\2" * 160).decode(), 0.0)
    playout.skip(0.02)
    assert playout.take(1.0) == [b"\2" * 160]


# --- the supervisor's


@given(
    st.lists(st.tuples(st.integers(0, 60), st.booleans()), min_size=5, max_size=300),
    st.floats(0.0, 0.4),
    st.floats(0.5, 1.0),
)
def test_a_supervisor_never_has_more_than_the_bound_waiting_by_the_clock_and_is_not_cut_off_for_good(
    arrivals: list[tuple[int, bool]], way_s: float, speed: float
) -> None:
    """Frames come after any pause; a carrier of any pace sends marks back after any way."""
    pace = SupervisorPace()
    now, carrier_free_at, back = 0.0, 0.0, deque[tuple[float, str]]()
    sent_after_silence = False
    for n, (pause_ms, _) in enumerate(arrivals):
        now += pause_ms / 1000
        while back and back[0][0] <= now:
            assert pace.echoed(back.popleft()[1], now)
        if not pace.may_send(160, now):
            continue
        assert pace._playout.ahead(now) + 160 <= MOST_AHEAD_MS * 8
        carrier_free_at = max(carrier_free_at, now + way_s / 2) + 0.02 / speed
        if pace.sent(160, now):
            pace.mark(f"m{n}", now)
            back.append((carrier_free_at + way_s / 2, f"m{n}"))
    now += 30.0
    while back:
        pace.echoed(back.popleft()[1], now)
    pace.begin_anew(now) if pace.stalled(now) else None
    sent_after_silence = pace.may_send(160, now + 5)
    assert sent_after_silence


def test_a_carrier_that_never_sends_a_mark_back_is_paced_by_the_clock() -> None:
    pace, sent = SupervisorPace(), 0
    for n in range(1_000):
        now = n * 0.02
        if pace.may_send(160, now):
            sent += 1
            if pace.sent(160, now):
                pace.mark(f"m{n}", now)
    assert sent == 1_000


# --- the gate


@given(
    st.lists(st.sampled_from(["media", "mark", "clear", "silence", "speak", "other", "wait"]), min_size=1, max_size=60)
)
def test_a_silenced_bot_passes_nothing_that_speaks_and_has_each_of_its_marks_back_exactly_once(done: list[str]) -> None:
    agent, now, silenced = Agent("MZ1"), 0.0, False
    wanted: list[str] = []
    back: list[str] = []
    at_twilio: list[str] = []
    for n, step in enumerate(done):
        if step == "wait":
            now += 0.3
            back += agent.due(now)
        elif step == "silence":
            back += agent.silence(now)
            at_twilio.clear()
            silenced = True
        elif step == "speak":
            back += agent.speak(now)
            silenced = False
        else:
            message = {"event": step, "media": {"payload": "/w==" * 400}, "mark": {"name": f"m{n}"}}
            passes, own, returned = agent.says(message, now, heard=n % 2 == 0)
            back += returned
            assert passes == (not silenced or step == "other")
            assert not (silenced and own)
            if step == "mark":
                wanted.append(f"m{n}")
                at_twilio += [f"m{n}"] if passes else []
            if step == "clear" and passes:  # Twilio sends them back itself
                back += at_twilio
                at_twilio.clear()
    now += 3600
    back += agent.due(now)
    back += [name for name in at_twilio if agent.echoed(name, now)]
    assert sorted(back) == sorted(wanted)
