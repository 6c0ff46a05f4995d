"""What a speech-to-text engine is to livemon: two small protocols that any recogniser, local or remote, can keep.

    engine = open_engine("pocketsphinx")  # or "your_module:function", which returns an Engine
    ear = engine.listen()  # one for each side of a call
    ear.heard(on_text)
    ear.hear(pcm)  # 20 ms at a time, as they come
    await ear.close()
    await engine.close()

Everything is called in one event loop, that in which the engine was opened, and from no other thread. Nothing of it
knows calls, Redis or Twilio.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, runtime_checkable

SAMPLE_RATE = 8_000

OnText = Callable[[str, bool, int, int], None]
"""`on_text(text, final, start_ms, end_ms)`, called in the event loop.

While somebody speaks it is called with `final` false and all that was understood of this utterance so far, each time
that changes; then once with `final` true, which ends the utterance. The next call begins another. An utterance of which
nothing was understood at its end, after partials, is called with an empty final text: take back what was shown.

`start_ms` and `end_ms` say where the utterance stands, in milliseconds of the sound that this ear was given (what was
dropped counts too), not of a clock. Utterances of one ear come in order and do not overlap. What the function raises is
logged, and nothing else comes of it.
"""


class Ear(Protocol):
    """One voice that is listened to."""

    def hear(self, pcm: bytes) -> None:
        """Hand over sound: signed 16-bit little-endian mono PCM at 8,000 Hz, of any length (20 ms as a rule).

        Never blocks, never raises for what the bytes are (half a sample at the end waits for its other half). What waits
        to be recognised is bounded: of an engine that cannot follow, the oldest is dropped and counted. A voice that is
        silent may be handed over as silence or not at all: a pause in the frames ends an utterance, as silence does.
        After `close` nothing is taken.
        """
        ...

    def heard(self, on_text: OnText) -> None:
        """Say who gets the texts. Set it before the first `hear`; another one replaces it."""
        ...

    async def close(self) -> None:
        """Give what is left, its final text included, and end. Returns within some seconds whatever the engine does.

        Once it has returned, `on_text` is not called any more. Closing again does nothing.
        """
        ...


@runtime_checkable
class Engine(Protocol):
    """A recogniser that listens to many voices at once."""

    @property
    def counters(self) -> Mapping[str, int]:
        """What went wrong since the engine was opened, by reason: short fixed words, fit for a metric's label.

        An engine without anything to count gives an empty mapping.
        """
        ...

    def listen(self) -> Ear:
        """Another ear, ready at once. Never blocks; raises EngineClosed after `close`."""
        ...

    async def close(self) -> None:
        """Close what ears are still open, as `Ear.close` does, and let go of all that the engine holds."""
        ...
