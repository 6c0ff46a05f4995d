"""The limit on a call's packets: 400 a second, bursts of twice that."""

from hypothesis import given
from hypothesis import strategies as st

from livemon.media.packet_rate import BURST, PACKETS_A_SECOND, PacketRate


def test_a_burst_of_800_passes_and_not_one_packet_more():
    rate = PacketRate()
    assert [rate.allows(5.0) for _ in range(BURST + 10)] == [True] * BURST + [False] * 10


def test_after_a_burst_400_a_second_pass():
    rate = PacketRate()
    for _ in range(BURST):
        rate.allows(0.0)
    assert sum(rate.allows(n / 1_000) for n in range(1_001)) == PACKETS_A_SECOND


def test_a_long_silence_saves_up_no_more_than_a_burst():
    rate = PacketRate()
    rate.allows(0.0)
    assert sum(rate.allows(3_600.0) for _ in range(5_000)) == BURST


@given(st.lists(st.floats(0, 0.05), min_size=1, max_size=3_000))
def test_never_more_than_a_burst_and_400_a_second(pauses):
    rate, now, passed = PacketRate(), 0.0, 0
    for pause in pauses:
        now += pause
        passed += rate.allows(now)
    assert passed <= BURST + now * PACKETS_A_SECOND + 1e-6
