"""The reader of Redis's pushes: whole messages out of any pieces, and only `BadReply` for what is none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livemon.media.resp import MAX_ELEMENT, BadReply, Push, PushReader

elements = st.binary(max_size=80)


def bulk(value: bytes) -> bytes:
    return b"$%d\r\n%b\r\n" % (len(value), value)


def message(channel: bytes, data: bytes) -> bytes:
    return b"*3\r\n" + bulk(b"smessage") + bulk(channel) + bulk(data)


def fed_in_pieces(stream: bytes, cuts: list[int]) -> list[Push]:
    reader, pushes, last = PushReader(), [], 0
    for cut in [*sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]:
        pushes += reader.feed(stream[last:cut])
        last = cut
    return pushes


@given(st.lists(st.tuples(elements, elements), max_size=8), st.lists(st.integers(0, 10_000), max_size=12))
def test_a_stream_in_any_pieces_gives_the_same_pushes(messages, cuts):
    stream = b"".join(message(channel, data) for channel, data in messages)
    assert fed_in_pieces(stream, cuts) == [Push(b"smessage", channel, data) for channel, data in messages]


@given(st.integers(MAX_ELEMENT - 2, MAX_ELEMENT * 4), st.lists(st.integers(0, 20_000), max_size=12))
def test_a_long_element_is_cut_and_what_follows_it_is_whole(length, cuts):
    """One runtime's monstrous packet must not take the subscription, and with it everyone's audio, down."""
    stream = message(b"a", b"x" * length) + message(b"b", b"next")
    pushes = fed_in_pieces(stream, cuts)
    assert pushes == [
        Push(b"smessage", b"a", b"x" * min(length, MAX_ELEMENT)),
        Push(b"smessage", b"b", b"next"),
    ]


def test_what_is_held_back_of_a_long_element_is_bounded():
    reader = PushReader()
    reader.feed(b"*3\r\n" + bulk(b"smessage") + bulk(b"a") + b"$100000000\r\n")
    for _ in range(1_000):
        reader.feed(b"x" * 10_000)
        assert len(reader._rest) <= MAX_ELEMENT


@given(st.binary(max_size=300), st.lists(st.integers(0, 400), max_size=5))
def test_garbage_is_a_bad_reply_or_not_yet_complete_and_nothing_else(garbage, cuts):
    try:
        fed_in_pieces(garbage, cuts)
    except BadReply:
        return


@given(
    st.lists(
        st.sampled_from([b"*3\r\n", b"*1\r\n", b"$4\r\n", b"$-1\r\n", b":7\r\n", b"pong", b"\r\n", b"*"]), max_size=12
    )
)
def test_pieces_of_the_protocol_in_any_order_raise_nothing_else(pieces):
    try:
        PushReader().feed(b"".join(pieces))
    except BadReply:
        return


@pytest.mark.parametrize(
    "stream",
    [
        b"-NOPERM this user has no permissions to access one of the channels\r\n",
        b"+PONG\r\n",
        b"*0\r\n",
        b"*9\r\n",
        b"*-1\r\n",
        b"*3\r\n*1\r\n",
        b"*3\r\n$-2\r\n",
        b"*3\r\n$x\r\n",
        b"*3\r\n$99999999999\r\n",
        b"*3\r\n$3\r\nabcdef\r\n",
        b"*3\r\n:" + b"1" * 40,
        b"$4\r\npong\r\n",
        b"*" + b"1" * 40,
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_what_is_no_push_is_a_bad_reply(stream: bytes):
    """An error reply, or a stream that is out of step: never an endless wait for more."""
    with pytest.raises(BadReply):
        PushReader().feed(stream)


def test_the_answers_of_a_subscription_are_pushes_too():
    stream = b"*3\r\n" + bulk(b"ssubscribe") + bulk(b"a") + b":1\r\n" + b"*2\r\n" + bulk(b"pong") + bulk(b"")
    stream += b"*3\r\n" + bulk(b"sunsubscribe") + b"$-1\r\n" + b":0\r\n"
    assert PushReader().feed(stream) == [
        Push(b"ssubscribe", b"a", b"1"),
        Push(b"pong", b"", b""),
        Push(b"sunsubscribe", b"", b"0"),
    ]
