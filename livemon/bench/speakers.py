"""The voices of some calls, speaking all the time: into livemon by the SDK, into its rivals as RTP over UDP."""

import asyncio
import socket
import time
from array import array
from collections.abc import Callable, Sequence

import numpy as np

from livemon.bench.arrivals import Numbers
from livemon.bench.listen import tone_packets
from livemon_runtime.codecs import Codec
from livemon_runtime.packetizer import Packetizer

PACKET_S = 0.02

Say = Callable[[bytes], None]
"""Takes one packet of Opus."""


class Speakers:
    """Voices that say a packet every 20 ms each, evenly spread over these 20 ms, as calls that know nothing of each other."""

    def __init__(self, voices: Sequence[Say]) -> None:
        self._voices = voices
        self._sent = [array("q") for _ in voices]

    async def run(self) -> None:
        """Speak until cancelled."""
        tones = [tone_packets(hertz) for hertz in (440, 880)]
        loop = asyncio.get_running_loop()
        began, n, count = loop.time(), 0, len(self._voices)
        while True:
            turn, voice = divmod(n, count)
            await asyncio.sleep(max(0.0, began + (turn + voice / count) * PACKET_S - loop.time()))
            tone = tones[voice % 2]
            self._sent[voice].append(time.time_ns())
            self._voices[voice](tone[turn % len(tone)])
            n += 1

    def sent_ns(self, voice: int) -> Numbers:
        """When each packet of that voice was given away, in ns since the epoch."""
        return np.array(self._sent[voice], np.int64)


def by_udp(out: socket.socket, port: int) -> Say:
    """A voice that goes to a port of this machine as RTP."""
    packetizer = Packetizer(Codec.OPUS)

    def say(frame: bytes) -> None:
        for packet in packetizer.packets(frame, time.monotonic()):
            out.sendto(packet, ("127.0.0.1", port))

    return say
