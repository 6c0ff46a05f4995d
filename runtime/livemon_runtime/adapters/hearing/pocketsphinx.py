"""The open engine: CMU PocketSphinx with the English model of its wheel, in processes of its own (docs/hearing.md).

Recognition is work for the processor: here it takes none of the event loop's, and of a call's sound only what fits.
"""

import asyncio
import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from ...drops import Drops
from .ear import PocketsphinxEar
from .errors import EngineClosed, EngineNotInstalled, ModelMissing
from .recogniser import Recogniser

VOICES_A_PROCESS = 3
"""So many speak at once that one process follows (some 90 MB each). Others wait; who is silent does not count."""


@dataclass(frozen=True, slots=True)
class Model:
    """Where a model stands: a folder, and two files. One for 16,000 Hz."""

    acoustic: Path
    language: Path
    dictionary: Path

    @classmethod
    def english(cls) -> "Model":
        """The one that comes with the wheel. Raises EngineNotInstalled."""
        try:
            sphinx = importlib.import_module("pocketsphinx")
        except ImportError as error:
            raise EngineNotInstalled("pocketsphinx", "pocketsphinx", str(error)) from error
        folder = Path(sphinx.get_model_path()) / "en-us"
        return cls(folder / "en-us", folder / "en-us.lm.bin", folder / "cmudict-en-us.dict")

    def check(self) -> None:
        """Raises ModelMissing."""
        parts = (
            ("acoustic model", self.acoustic / "mdef"),
            ("language model", self.language),
            ("dictionary", self.dictionary),
        )
        for part, path in parts:
            if not path.is_file():
                raise ModelMissing(part, path)


class PocketsphinxEngine:
    """An `engine.Engine`. `processes`: how many there may be, each begun when it is first needed; one core each.

    Raises EngineNotInstalled or ModelMissing.
    """

    def __init__(self, *, processes: int | None = None, model: Model | None = None) -> None:
        model = model or Model.english()
        model.check()
        self._model = {
            "acoustic": str(model.acoustic),
            "language": str(model.language),
            "dictionary": str(model.dictionary),
        }
        self._most = max(1, processes or (os.cpu_count() or 2) - 1)
        self._loop = asyncio.get_running_loop()
        self._drops = Drops(self._loop.time)
        self._numbers = count(1)
        self._closed = False
        self._running: dict[Recogniser, asyncio.Task[None]] = {}
        self._begin()

    @property
    def counters(self) -> Mapping[str, int]:
        """`dropped_ms` (this machine did not follow), `lost_ms`, `worker_died`, `close_late`, `on_text_failed`."""
        return self._drops.counters

    @property
    def pids(self) -> list[int]:
        """The worker processes that are up."""
        return [one.pid for one in self._running if one.pid is not None]

    def listen(self) -> PocketsphinxEar:
        if self._closed:
            raise EngineClosed
        worker = min(self._running, key=lambda one: len(one.ears))
        if worker.ears and len(self._running) < self._most:
            worker = self._begin()
        ear = PocketsphinxEar(next(self._numbers), worker, self._drops, self._loop)
        worker.add(ear)
        return ear

    async def close(self) -> None:
        self._closed = True
        ears = [ear for one in self._running for ear in one.ears.values()]
        await asyncio.gather(*(ear.close() for ear in ears))
        tasks, self._running = list(self._running.values()), {}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self) -> Recogniser:
        recogniser = Recogniser(self._model, VOICES_A_PROCESS, self._drops)
        self._running[recogniser] = self._loop.create_task(recogniser.run(), name="livemon speech-to-text")
        return recogniser


def open_pocketsphinx() -> PocketsphinxEngine:
    """For `open_engine("pocketsphinx")`."""
    return PocketsphinxEngine()
