"""One worker process as the engine sees it: begun, spoken to, begun again when it dies."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from contextlib import suppress

from ...drops import Drops
from .ear import PocketsphinxEar
from .wire import Request, decode_reply

_PAUSES_S = (0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
_STEADY_S = 60.0
_END_S = 2.0
_MAIN = (
    "import json, sys; given = json.loads(sys.argv[1]); sys.path[:] = given['path']; "
    "from livemon_runtime.adapters.hearing.worker import main; main(given['model'], given['decoders'])"
)


class Recogniser:
    """`run` is its life, the owner's task. Ears may be added before the process is up, and stay when it dies."""

    def __init__(self, model: dict[str, str], decoders: int, drops: Drops) -> None:
        self._model, self._decoders, self._drops = model, decoders, drops
        self._process: Process | None = None
        self.ears: dict[int, PocketsphinxEar] = {}

    @property
    def up(self) -> bool:
        return self._process is not None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def send(self, request: Request) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.write(request.encode())

    def add(self, ear: PocketsphinxEar) -> None:
        self.ears[ear.number] = ear
        if self.up:
            ear.begin()

    def forget(self, number: int) -> None:
        self.ears.pop(number, None)

    async def run(self) -> None:
        """Until it is cancelled: then the process has ended, too."""
        loop, failures = asyncio.get_running_loop(), 0
        while True:
            began = loop.time()
            why = await self._live()
            failures = 1 if loop.time() - began > _STEADY_S else failures + 1
            pause = _PAUSES_S[min(failures, len(_PAUSES_S)) - 1]
            self._drops.drop("worker_died", f"{why}; {len(self.ears)} voices wait; it is begun again in {pause:.1f} s")
            await asyncio.sleep(pause)

    async def _live(self) -> str:
        """One process from its beginning to its end. Answers why it ended."""
        given = json.dumps({"path": sys.path, "model": self._model, "decoders": self._decoders})
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-P", "-c", _MAIN, given, stdin=PIPE, stdout=PIPE
            )
        except OSError as error:
            return f"the speech-to-text process cannot be begun: {error}"
        try:
            self._process = process
            for ear in list(self.ears.values()):
                ear.begin()
            await self._listen(process)
        finally:
            self._process = None
            await _end(process)
        for ear in list(self.ears.values()):
            ear.lose_worker()
        return f"the speech-to-text process {process.pid} ended ({process.returncode})"

    async def _listen(self, process: Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            if not line.endswith(b"\n"):
                return
            reply = decode_reply(line)
            ear = self.ears.get(reply.ear)
            if ear is not None:
                ear.take(reply)


async def _end(process: Process) -> None:
    """Its input closes, so it goes by itself; one that is stuck is killed."""
    if process.stdin is not None:
        process.stdin.close()
    with suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await process.wait()
    if process.returncode is None:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
