"""Which of the packets that were sent have arrived, and how long they took: from sequence numbers and times alone. Pure.

A receiver of SRTP sees the sequence numbers, which each server begins where it likes, and nothing of what is in a packet.
So the two series are laid beside each other as tightly as can be: no packet arrives before it was sent. Delays of a whole
stream that has never been faster than a packet's length come out too short by whole packets; `shift_of` takes what was
known of the stream before, so that this is so only where it has been slow from its beginning.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

LATE_MS = 20.0
_CYCLE = 1 << 16

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Tally:
    """Of the packets of one stream that were sent in a window: how many, the lost ones, and the others' delays in ms."""

    sent: int
    lost: int
    delays_ms: NDArray[np.float64]

    @property
    def late(self) -> int:
        return int(np.count_nonzero(self.delays_ms > LATE_MS))


def unwrapped(sequences: Numbers) -> Numbers:
    """16-bit sequence numbers, in the order in which they came, as numbers that go on."""
    if not len(sequences):
        return sequences
    steps = (np.diff(sequences) + _CYCLE // 2) % _CYCLE - _CYCLE // 2
    return sequences[0] + np.concatenate([[0], np.cumsum(steps)])


def shift_of(sent_ns: Numbers, numbers: Numbers, arrived_ns: Numbers, before: int | None = None) -> int:
    """What to add to `numbers` to get the indices of `sent_ns`; `before`: the same, found for this stream earlier."""
    newest = np.searchsorted(sent_ns, arrived_ns, side="right") - 1
    shift = int((newest - numbers).min())
    if before is None:
        return shift
    # both count from wherever the numbers began, so they are the same but for whole cycles of 16 bits
    return shift + min(0, (before - shift + _CYCLE // 2) % _CYCLE - _CYCLE // 2)


def tally(sent_ns: Numbers, numbers: Numbers, arrived_ns: Numbers, shift: int, window: tuple[int, int]) -> Tally:
    """What became of the packets sent from `window[0]` until before `window[1]` (ns); a repetition counts once."""
    first, end = (int(index) for index in np.searchsorted(sent_ns, window))
    sent, at = np.unique(numbers + shift, return_index=True)
    inside = (sent >= first) & (sent < end)
    delays = arrived_ns[at[inside]] - sent_ns[sent[inside]]
    return Tally(end - first, end - first - len(delays), delays / 1e6)
