"""The rendered lines of the demo, ready to be sent: packets in each codec that is asked for, and words' times.

Decoding and transcoding happen once, in `load_speech`; nothing is encoded while a call runs.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from io import BytesIO
from typing import TypedDict, cast

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.buffer import Buffer
from numpy.typing import NDArray

from livemon_runtime.codecs import Codec

from .scenario import Script

PACKET_MS = 20

_G711 = {Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}


class _Indexed(TypedDict):
    voice: str
    text: str
    file: str
    ms: int
    starts: list[int]


@dataclass(frozen=True, slots=True)
class Utterance:
    """One rendered line. `starts`: when each of `words` begins, in ms from the utterance's start."""

    words: tuple[str, ...]
    starts: tuple[int, ...]
    ms: int
    packets: dict[Codec, tuple[bytes, ...]]
    """By codec, `PACKET_MS` each: Opus packets, G.711 bytes, or signed 16-bit little-endian PCM."""


class Speech:
    """Utterances by voice and text."""

    def __init__(self, utterances: dict[tuple[str, str], Utterance]) -> None:
        self._utterances = utterances

    def __len__(self) -> int:
        return len(self._utterances)

    def __getitem__(self, line: tuple[str, str]) -> Utterance:
        """Raises `KeyError` for a line that has not been rendered (see `render_speech`)."""
        return self._utterances[line]

    def __contains__(self, line: tuple[str, str]) -> bool:
        return line in self._utterances


def load_speech(script: Script) -> Speech:
    """Read what `script` needs, in the codecs that it needs. Raises `KeyError` for a line never rendered."""
    index = {(entry["voice"], entry["text"]): entry for entry in read_index()}
    utterances: dict[tuple[str, str], Utterance] = {}
    for line, codecs in script.codecs_by_line.items():
        if line not in index:
            raise KeyError(f"no speech for {line}: run python -m livemon.demo.render_speech")
        utterances[line] = _load(index[line], codecs)
    return Speech(utterances)


def read_index() -> list[_Indexed]:
    """What `render_speech` wrote about each of its files."""
    text = files(__package__ or __name__).joinpath("speech", "index.json").read_text("utf-8")
    return cast(list[_Indexed], json.loads(text))


def read_file(name: str) -> bytes:
    """One Ogg Opus file of `speech/`."""
    return files(__package__ or __name__).joinpath("speech", *name.split("/")).read_bytes()


def _load(entry: _Indexed, codecs: frozenset[Codec]) -> Utterance:
    data = read_file(entry["file"])
    packets = {codec: opus_packets(data) if codec is Codec.OPUS else _transcoded(data, codec) for codec in codecs}
    return Utterance(tuple(entry["text"].split()), tuple(entry["starts"]), entry["ms"], packets)


def opus_packets(ogg: bytes) -> tuple[bytes, ...]:
    """The packets of an Ogg Opus file, as they are."""
    with av.open(BytesIO(ogg), "r") as container:
        return tuple(bytes(packet) for packet in container.demux(audio=0) if packet.size)


def decoded(ogg: bytes, rate: int) -> NDArray[np.int16]:
    """An Ogg Opus file as mono PCM at `rate` Hz."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=rate)
    with av.open(BytesIO(ogg), "r") as container:
        frames = [out for frame in container.decode(audio=0) for out in resampler.resample(frame)]
    frames += resampler.resample(None)
    return np.concatenate([frame.to_ndarray()[0] for frame in frames]).astype(np.int16)


def _transcoded(ogg: bytes, codec: Codec) -> tuple[bytes, ...]:
    samples = decoded(ogg, codec.form.clock)
    step = codec.form.clock * PACKET_MS // 1000
    padded = np.concatenate([samples, np.zeros(-len(samples) % step, np.int16)])
    data = _g711(padded, codec) if codec in _G711 else padded.astype("<i2").tobytes()
    size = len(data) // (len(padded) // step)
    return tuple(_slices(data, size))


def _g711(samples: NDArray[np.int16], codec: Codec) -> bytes:
    encoder = cast(AudioCodecContext, av.CodecContext.create(_G711[codec], "w"))
    encoder.sample_rate, encoder.format, encoder.layout = codec.form.clock, "s16", "mono"
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = codec.form.clock
    packets = cast(list[Buffer], [*encoder.encode(frame), *encoder.encode(None)])
    return b"".join(bytes(packet) for packet in packets)


def _slices(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))
