"""Which offers are answered: audio sections that only receive. A microphone is refused in every disguise."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from livemon.media.errors import BadOffer, ListenError, MicrophoneRefused
from livemon.media.offer import MAX_OFFER, codec_name, read_offer
from livemon_runtime.codecs import Codec
from tests.media.offers import SESSION, offer, section

ENDS = st.sampled_from(["\r\n", "\n", "\r", "\r\n\r\n"])
SENDING = st.sampled_from(["sendrecv", "sendonly"])


def changed(old: str, new: str, which: int = 1) -> str:
    """The offer with `old` replaced in one of its two sections."""
    sections = [section("0"), section("1")]
    assert old in sections[which]
    sections[which] = [new if line == old else line for line in sections[which]]
    return offer(*sections)


@given(ENDS)
def test_an_offer_that_only_receives_is_taken_and_its_candidates_are_not(end):
    read = read_offer(offer(end=end), 2)
    assert "a=candidate" not in read.sdp
    assert "4a8e.local" not in read.sdp
    assert all(read.can_play(n, mime) for n in (0, 1) for mime in ("opus/48000", "pcmu/8000", "pcma/8000"))
    assert not read.can_play(0, "g722/8000")


@pytest.mark.parametrize(
    ("codec", "name"),
    [(Codec.OPUS, "opus/48000"), (Codec.PCMU, "pcmu/8000"), (Codec.PCMA, "pcma/8000"), (Codec.L16_24000, "opus/48000")],
)
def test_a_browser_gets_opus_for_l16_and_every_other_voice_as_it_is(codec, name):
    assert codec_name(codec) == name


@given(SENDING, st.integers(0, 1), ENDS)
def test_a_section_that_sends_is_refused(direction, which, end):
    sections = [section(str(n), direction if n == which else "recvonly") for n in (0, 1)]
    with pytest.raises(MicrophoneRefused):
        read_offer(offer(*sections, end=end), 2)


@given(st.sampled_from([None, "Recvonly", "RECVONLY", "recvonly ", "recvonly\t", "recv only", "recvonly;", ""]))
def test_a_section_without_a_direction_of_its_own_sends_by_default(direction):
    """RFC 8866, section 6.7: what says nothing is sendrecv, and what is no direction says nothing."""
    with pytest.raises(MicrophoneRefused):
        read_offer(offer(section("0"), section("1", direction)), 2)


@given(SENDING)
def test_a_direction_of_the_whole_session_counts_where_a_section_has_none(direction):
    with pytest.raises(MicrophoneRefused):
        read_offer(offer(section("0"), section("1", None), session=[*SESSION, f"a={direction}"]), 2)
    assert read_offer(offer(session=[*SESSION, f"a={direction}"]), 2)


@given(SENDING, st.booleans())
def test_of_two_directions_the_one_that_sends_is_never_overlooked(direction, first):
    """Whether the first or the last counts is nobody's to guess: such an offer is not answered."""
    both = ["a=recvonly", f"a={direction}"]
    sections = [section("0"), [*section("1", None), *(reversed(both) if first else both)]]
    with pytest.raises(ListenError):
        read_offer(offer(*sections), 2)


@pytest.mark.parametrize("line", ["a=msid:stream track", "a=msid:- mic", "a=ssrc:1234 msid:stream track"])
@pytest.mark.parametrize("which", [0, 1])
def test_a_track_of_the_browsers_own_is_refused_though_it_says_that_it_only_receives(line, which):
    sections = [section("0"), section("1")]
    sections[which].append(line)
    with pytest.raises(MicrophoneRefused):
        read_offer(offer(*sections), 2)


def test_an_ssrc_that_carries_no_track_is_no_microphone():
    """Firefox names the source of its reports also where it only receives."""
    assert read_offer(offer(section("0"), [*section("1"), "a=ssrc:1234 cname:{5e7a}"]), 2)


@given(SENDING, st.integers(0, 2))
def test_a_further_section_with_a_microphone_is_refused_wherever_it_stands(direction, place):
    sections = [section("0"), section("1")]
    sections.insert(place, section("2", direction))
    with pytest.raises(MicrophoneRefused):
        read_offer(offer(*sections, session=[line.replace("0 1", "0 1 2") for line in SESSION]), 2)


@pytest.mark.parametrize("kind", ["video", "application", "text", "Audio", "message"])
@pytest.mark.parametrize("direction", ["sendrecv", "recvonly", "inactive"])
def test_sections_of_other_kinds_are_not_answered(kind, direction):
    with pytest.raises(BadOffer):
        read_offer(offer(section("0"), section("1"), section("2", direction, kind)), 2)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_any_other_number_of_sections_is_not_answered(count):
    with pytest.raises(BadOffer):
        read_offer(offer(SESSION[5:6], *(section(str(n)) for n in range(count))), 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("a=recvonly", "a=inactive"),
        ("a=rtcp-mux", "a=rtcp-nothing"),
        ("a=mid:1", "a=mid:0"),
        ("a=mid:1", "a=mid:7"),
        ("a=mid:1", "a=mid:" + "x" * 17),
        ("a=mid:1", "a=nothing"),
        ("a=ice-ufrag:Xy12", "a=nothing"),
        ("a=ice-pwd:abcdefghijklmnopqrstuvwx", "a=ice-pwd:" + "x" * 257),
        ("a=setup:actpass", "a=setup:holdconn"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8", "m=audio 0 UDP/TLS/RTP/SAVPF 111 0 8"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8", "m=audio 9 RTP/AVP 111 0 8"),
        ("m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8", "m=audio\t9 UDP/TLS/RTP/SAVPF 111 0 8"),
    ],
)
def test_a_section_that_cannot_be_answered_is_a_bad_offer(old, new):
    with pytest.raises(BadOffer):
        read_offer(changed(old, new), 2)


def test_sections_that_are_not_bundled_are_a_bad_offer():
    with pytest.raises(BadOffer, match="bundled"):
        read_offer(offer(session=[line for line in SESSION if "BUNDLE" not in line]), 2)


@pytest.mark.parametrize(
    "text", ["", "v=0", "hello", "{}", "v=0\r\n" * 100, "m=audio 9 x 1\r\n", "\0" * 100, "v=0\r\nm="]
)
def test_what_is_no_offer_is_a_bad_offer(text):
    with pytest.raises(BadOffer):
        read_offer(text, 2)


def test_a_huge_offer_is_refused_before_it_is_read():
    with pytest.raises(BadOffer, match="at most"):
        read_offer(offer() + "a=x\r\n" * MAX_OFFER, 2)


LINES = SESSION + section("0") + section("1")
HOSTILE = st.sampled_from(
    ["a=sendrecv", "a=sendonly", "a=inactive", "a=recvonly", "m=audio 9 UDP/TLS/RTP/SAVPF 111", "m=", "a=", "a=msid:a b",
     "a=ssrc:x", "a=ssrc:1 msid:", "a=rtpmap:111", "a=fmtp:111 ", "a=extmap:", "a=candidate:", "a=fingerprint:sha-256",
     "a=setup:", "a=mid:", "a=group:BUNDLE", "\ta=sendrecv", "a=sendrecv\x0b", "a=sctp-port:x", "m=audio", "c=IN"]
)  # fmt: skip


@pytest.mark.parametrize("count", [2, 3])
def test_an_offer_may_have_as_many_sections_as_one_of_the_numbers_that_are_taken(count):
    sections = [section(str(n)) for n in range(count)]
    read = read_offer(offer(*sections, session=[line.replace("0 1", "0 1 2") for line in SESSION]), 2, 3)
    assert len(read.plays) == count


@pytest.mark.parametrize("count", [1, 4])
def test_fewer_sections_or_more_are_told_how_many_there_may_be(count):
    sections = [section(str(n)) for n in range(count)]
    with pytest.raises(BadOffer, match="2 or 3 audio sections"):
        read_offer(offer(*sections, session=[line.replace("0 1", "0 1 2 3") for line in SESSION]), 2, 3)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), HOSTILE | st.text(max_size=30)), max_size=4),
    st.lists(st.integers(0, 60), max_size=3),
    ENDS,
)
def test_whatever_is_done_to_an_offer_it_is_refused_or_can_carry_no_microphone(inserted, removed, end):
    """No error but our own, and what is accepted has two audio sections, none of which sends."""
    lines = [line for n, line in enumerate(LINES) if n not in removed]
    for place, line in inserted:
        lines.insert(place, line)
    try:
        read = read_offer(end.join(lines), 2)
    except ListenError:
        return
    accepted = read.sdp.split("\r\n")
    assert sum(line.startswith("m=") for line in accepted) == 2
    starts = [n for n, line in enumerate(accepted) if line.startswith("m=")] + [len(accepted)]
    for start, stop in itertools.pairwise(starts):
        directions = [
            line for line in accepted[start:stop] if line[2:] in ("sendrecv", "sendonly", "recvonly", "inactive")
        ]
        assert directions
        assert set(directions) <= {"a=recvonly", "a=inactive"}
        assert not any(line.startswith("a=msid:") for line in accepted[start:stop])


@given(st.text(max_size=2_000))
def test_garbage_is_refused_and_raises_nothing_else(text):
    with pytest.raises(ListenError):
        read_offer("v=0\r\n" + text, 2)
