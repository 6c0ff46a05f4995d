"""The worker process: hears several ears, sound on standard input, replies on standard output. Ends with whoever began it.

One thread and no event loop: what takes time here is recognition, and each ear gets 30 ms of it in turn.
"""

import os
import select
import signal
from functools import partial
from pathlib import Path

from .sphinx import Decoders, new_decoder
from .utterances import Utterances
from .wire import Closed, Kind, Request, Requests, encode_reply

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
        Worker(lent, replies, os.getppid()).run()
    except BrokenPipeError:
        return


class Worker:
    def __init__(self, decoders: Decoders, replies: int, parent: int) -> None:
        self._decoders, self._replies, self._parent = decoders, replies, parent
        self._requests = Requests()
        self._ears: dict[int, Utterances] = {}

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
        if request.kind is Kind.LISTEN:
            self._ears[request.ear] = Utterances(request.ear, self._decoders, request.position)
        elif ear := self._ears.get(request.ear):  # not one that has just said that it is closed
            if request.kind is Kind.CLOSE:
                ear.close()
            else:
                ear.hear(request)

    def _go_on(self) -> bool:
        worked = [ear.step() for ear in self._ears.values()]
        return any(worked)

    def _reply(self) -> None:
        lines: list[bytes] = []
        for number, ear in list(self._ears.items()):
            while ear.replies:
                reply = ear.replies.popleft()
                lines.append(encode_reply(reply))
                if isinstance(reply, Closed):
                    del self._ears[number]
        data = b"".join(lines)
        while data:
            data = data[os.write(self._replies, data) :]
