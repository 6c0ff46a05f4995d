"""The transcript in memory: whatever Redis loses, and however often an answer is lost, it ends up whole and in order."""

from hypothesis import given, settings
from hypothesis import strategies as st

from livemon_runtime.outbox import Outbox


def note(missing: int) -> bytes:
    return f"{missing} missing".encode()


def sent(outbox: Outbox, most: int = 100) -> list[bytes]:
    return outbox.batch(most)[1]


def test_the_first_entry_is_number_1() -> None:
    outbox = Outbox(note)
    outbox.add(b"a")
    outbox.add(b"b")
    assert outbox.batch() == (1, [b"a", b"b"])


def test_what_redis_has_is_not_sent_again() -> None:
    outbox = Outbox(note)
    for entry in (b"a", b"b", b"c"):
        outbox.add(entry)
    outbox.redis_has(2)
    assert outbox.batch() == (3, [b"c"])


def test_a_lost_tail_is_sent_again() -> None:
    outbox = Outbox(note)
    for entry in (b"a", b"b", b"c"):
        outbox.add(entry)
    outbox.redis_has(3)
    outbox.redis_has(1)
    assert outbox.batch() == (2, [b"b", b"c"])


def test_a_transcript_that_somebody_else_began_goes_on_after_its_end() -> None:
    outbox = Outbox(note)
    outbox.add(b"mine")
    outbox.start_after(7)
    assert outbox.batch() == (8, [b"mine"])


def test_past_the_limit_the_oldest_unsent_go_and_a_note_says_how_many() -> None:
    outbox = Outbox(note, most_entries=3)
    lost = sum(outbox.add(str(number).encode()) for number in range(5))
    assert lost == 2
    assert outbox.batch() == (1, [b"2 missing", b"2", b"3", b"4"])


def test_what_redis_has_goes_first_and_needs_no_note() -> None:
    outbox = Outbox(note, most_entries=3)
    for number in range(3):
        outbox.add(str(number).encode())
    outbox.redis_has(3)
    assert outbox.add(b"3") == 0
    assert outbox.batch() == (4, [b"3"])


def test_the_bytes_are_limited_too() -> None:
    outbox = Outbox(note, most_bytes=10)
    outbox.add(b"12345678")
    assert outbox.add(b"12345678") == 1
    assert outbox.batch() == (1, [b"1 missing", b"12345678"])


def test_what_may_be_on_its_way_keeps_its_number_when_the_oldest_go() -> None:
    outbox = Outbox(note, most_entries=3)
    for number in range(3):
        outbox.add(str(number).encode())
    assert outbox.batch(2) == (1, [b"0", b"1"])
    outbox.add(b"3")
    assert outbox.batch(2) == (1, [b"0", b"1"])
    outbox.redis_has(2)
    assert outbox.batch() == (3, [b"1 missing", b"3"])


def test_what_was_forgotten_here_and_lost_there_is_told_by_a_note() -> None:
    outbox = Outbox(note, most_entries=2)
    for number in range(4):
        outbox.add(str(number).encode())
        outbox.redis_has(number + 1)
    outbox.redis_has(0)
    assert outbox.batch() == (1, [b"2 missing", b"2", b"3"])


class ModelRedis:
    """Append as docs/protocol.md says."""

    def __init__(self) -> None:
        self.entries: list[bytes] = []

    def append(self, number: int, entries: list[bytes]) -> int:
        if number == len(self.entries) + 1:
            self.entries += entries
        return len(self.entries)


steps = st.lists(
    st.one_of(st.just("add"), st.just("send"), st.just("answer_lost"), st.just("request_lost"), st.integers(0, 12)),
    max_size=60,
)


@given(steps)
@settings(max_examples=300)
def test_through_lost_requests_lost_answers_and_lost_tails_it_ends_whole(plan: list[str | int]) -> None:
    """An integer is a Redis that comes back with only so many entries."""
    outbox, server, said = Outbox(note), ModelRedis(), []
    for step in plan:
        if step == "add":
            said.append(str(len(said)).encode())
            outbox.add(said[-1])
        elif isinstance(step, int):
            del server.entries[step:]
        else:
            number, entries = outbox.batch(3)
            last = 0 if step == "request_lost" else server.append(number, entries)
            if step == "send":
                outbox.redis_has(last)
    for _ in range(len(said) + 2):
        outbox.redis_has(server.append(*outbox.batch(3)))
    assert server.entries == said


@given(steps, st.integers(1, 6))
@settings(max_examples=300)
def test_with_a_limit_nothing_is_doubled_or_out_of_order_and_every_loss_is_told(
    plan: list[str | int], most: int
) -> None:
    outbox, server, count = Outbox(note, most_entries=most), ModelRedis(), 0
    for step in plan:
        if step == "add":
            count += 1
            outbox.add(b"%d" % count)
        elif isinstance(step, int):
            del server.entries[step:]
        else:
            number, entries = outbox.batch(2)
            if step != "request_lost":
                last = server.append(number, entries)
                if step == "send":
                    outbox.redis_has(last)
    for _ in range(count + 4):
        outbox.redis_has(server.append(*outbox.batch(2)))
    numbers = [int(entry) for entry in server.entries if b"missing" not in entry]
    assert numbers == sorted(set(numbers))
    assert numbers[-1:] == ([count] if count else [])
    assert outbox.unsent == 0
    if len(numbers) < count:
        assert any(b"missing" in entry for entry in server.entries)
