"""Renders every line of the scenarios into `speech/`: Ogg Opus, and when each word begins. Run by hand after a change:

    uv pip install -e '.[demo-speech]' && python -m livemon.demo.render_speech

The same lines give the same files. Nothing here runs in the demo, which needs no synthesis.
"""

import hashlib
import json
import multiprocessing
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import av
import numpy as np
from numpy.typing import NDArray

from .espeak import Espeak, Speaker
from .scenario import load_script

SPEAKERS = {
    "ada": Speaker("en-us+f3", rate=172, pitch=60, pitch_range=60),
    "theo": Speaker("en-us+Michael", rate=170, pitch=48, pitch_range=60),
    "rosa": Speaker("en-gb-x-rp+f4", rate=185, pitch=40, pitch_range=65),
    "sam": Speaker("en-us+rob", rate=180, pitch=62, pitch_range=60),
    "vic": Speaker("en-gb-scotland+m2", rate=165, pitch=22, pitch_range=60),
}
RATE = 16_000
BIT_RATE = 7_000
"""Telephone quality (Opus then codes 4 kHz), which keeps what is committed small."""
FOLDER = Path(__file__).parent / "speech"

_SPOKEN_RMS = 0.1
"""RMS of the loud half of a line after levelling, of full scale: -20 dBFS, usual for speech."""
_KNEE, _CEILING = 0.6, 0.85
_QUIET = 0.01
_EDGE_S = 0.04


@dataclass(frozen=True, slots=True)
class _Line:
    voice: str
    text: str

    @property
    def file(self) -> str:
        slug = "-".join(re.findall(r"[a-z]+", self.text.lower())[:4])
        return f"{self.voice}/{slug}-{hashlib.sha256(self.text.encode()).hexdigest()[:4]}.opus"


@dataclass(frozen=True, slots=True)
class _Entry:
    """One line of `index.json`. Times in milliseconds; `starts` has one for each of `text.split()`."""

    voice: str
    text: str
    file: str
    ms: int
    starts: list[int]


def main() -> None:
    """Render everything anew, and say what came out."""
    lines = [_Line(voice, text) for voice, text in load_script().codecs_by_line]
    shutil.rmtree(FOLDER, ignore_errors=True)
    for voice in SPEAKERS:
        (FOLDER / voice).mkdir(parents=True)
    # eSpeak carries state from one text to the next: a process for each line makes the result depend on the line alone.
    with multiprocessing.get_context("spawn").Pool(maxtasksperchild=1) as pool:
        entries = pool.map(_render, lines, chunksize=1)
    text = ",\n".join(json.dumps(asdict(entry), ensure_ascii=False) for entry in entries)
    (FOLDER / "index.json").write_text(f"[\n{text}\n]\n", "utf-8")
    size = sum(path.stat().st_size for path in FOLDER.rglob("*.opus"))
    seconds = sum(entry.ms for entry in entries) / 1000
    print(f"{len(entries)} lines, {seconds:.0f} s of speech, {size / 1000:.0f} kB")  # noqa: T201


def _render(line: _Line) -> _Entry:
    spoken = Espeak()
    result = spoken.speak(SPEAKERS[line.voice], line.text)
    first, last = _audible(result.samples, spoken.rate)
    samples = _level(_resample(result.samples[first:last], spoken.rate))
    ms = len(samples) * 1000 // RATE
    _write(FOLDER / line.file, samples)
    starts = word_starts(line.text, [(at, mark - first * 1000 // spoken.rate) for at, mark in result.marks], ms)
    return _Entry(line.voice, line.text, line.file, ms, starts)


def word_starts(text: str, marks: list[tuple[int, int]], ms: int) -> list[int]:
    """When each of `text.split()` begins, in ms: by eSpeak's marks, in between by the letters, never backwards."""
    starts: list[int | None] = []
    spans = [match.span() for match in re.finditer(r"\S+", text)]
    for first, last in spans:
        starts.append(next((mark for at, mark in marks if first <= at < last), None))
    starts[0] = 0
    known = [(spans[i][0], start) for i, start in enumerate(starts) if start is not None] + [(len(text), ms)]
    filled = np.interp([span[0] for span in spans], [at for at, _ in known], [start for _, start in known])
    return [int(start) for start in np.maximum.accumulate(np.clip(filled, 0, ms))]


def _audible(samples: NDArray[np.int16], rate: int) -> tuple[int, int]:
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _QUIET * 32768)
    edge = int(_EDGE_S * rate)
    return max(0, int(loud[0]) - edge), min(len(samples), int(loud[-1]) + edge)


def _resample(samples: NDArray[np.int16], rate: int) -> NDArray[np.int16]:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    frames = [*resampler.resample(_frame(samples, rate)), *resampler.resample(None)]
    pieces = [cast(NDArray[np.int16], frame.to_ndarray()[0]) for frame in frames]
    return np.concatenate(pieces)


def _level(pcm: NDArray[np.int16]) -> NDArray[np.int16]:
    """Bring the spoken parts to one loudness, and bend peaks softly below the ceiling."""
    samples = pcm.astype(np.float64) / 32768
    power = float(np.sort(np.square(samples))[len(samples) // 2 :].mean())
    louder = samples * (_SPOKEN_RMS / power**0.5)
    size = np.abs(louder)
    bent = _KNEE + (_CEILING - _KNEE) * np.tanh((size - _KNEE) / (_CEILING - _KNEE))
    return (np.sign(louder) * np.minimum(size, bent) * 32767).astype(np.int16)


def _write(path: Path, samples: NDArray[np.int16]) -> None:
    with av.open(
        str(path), "w", format="ogg", options={"fflags": "+bitexact", "page_duration": "10000000"}
    ) as container:
        options = {"application": "voip", "frame_duration": "20", "vbr": "on", "compression_level": "10"}
        stream = container.add_stream("libopus", rate=RATE, layout="mono", options=options)
        stream.bit_rate = BIT_RATE
        container.mux(stream.encode(_frame(samples, RATE)))
        container.mux(stream.encode(None))


def _frame(samples: NDArray[np.int16], rate: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate
    return frame


if __name__ == "__main__":
    main()
