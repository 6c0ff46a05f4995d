"""The worker process: hears several ears, sound on standard input, replies on standard output. Ends with whoever began it.

One thread and no event loop: what takes time here is recognition, and each ear gets 30 ms of it in turn.
"""

import os
import select
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from .sphinx import Decoders, new_decoder
from .utterances import Utterances
from .wire import Closed, Kind, Request, Requests, encode_reply

PAUSE_S = 0.7
"""So long without a frame ends an utterance: a bot that says nothing as a rule sends nothing."""

_NICENESS = 5
_LOOK_S = 0.1
_READ = 1 << 16


def main(settings: dict[str, str], decoders: int) -> None:
    """Until standard input ends or the parent is gone. `settings`: the paths of `new_decoder`."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(_NICENESS)
    replies = os.dup(1)
    os.dup2(2, 1)
    paths = {part: Path(path) for part, path in settings.items()}
    lent = Decoders(partial(new_decoder, **paths), decoders)
    lent.warm()
    try:
        Worker(lent, replies, os.getppid(), time.monotonic).run()
    except BrokenPipeError:
        return


class Worker:
    def __init__(self, decoders: Decoders, replies: int, parent: int, monotonic: Callable[[], float]) -> None:
        self._decoders, self._replies, self._parent, self._monotonic = decoders, replies, parent, monotonic
        self._requests = Requests()
        self._ears: dict[int, Utterances] = {}
        self._last_sound: dict[int, float] = {}

    def run(self) -> None:
        worked = False
        while self._read(0.0 if worked else _LOOK_S):
            worked = self._go_on()
            self._reply()

    def _read(self, seconds: float) -> bool:
        """Take what has come. False: there is nobody any more to hear for."""
        readable, _, _ = select.select([0], [], [], seconds)
        if not readable:
            return os.getppid() == self._parent
        data = os.read(0, _READ)
        for request in self._requests.feed(data):
            self._take(request)
        return bool(data)

    def _take(self, request: Request) -> None:
        match request.kind:
            case Kind.LISTEN:
                self._ears[request.ear] = Utterances(request.ear, self._decoders, request.position)
            case Kind.SOUND:
                self._ears[request.ear].hear(request)
                self._last_sound[request.ear] = self._monotonic()
            case Kind.CLOSE:
                self._ears[request.ear].close()

    def _go_on(self) -> bool:
        now, worked = self._monotonic(), False
        for number, ear in self._ears.items():
            if ear.waits_for_silence and now - self._last_sound[number] >= PAUSE_S:
                ear.pause()
            worked |= ear.step()
        return worked

    def _reply(self) -> None:
        lines: list[bytes] = []
        for number, ear in list(self._ears.items()):
            while ear.replies:
                reply = ear.replies.popleft()
                lines.append(encode_reply(reply))
                if isinstance(reply, Closed):
                    del self._ears[number]
                    self._last_sound.pop(number, None)
        data = b"".join(lines)
        while data:
            data = data[os.write(self._replies, data) :]
