"""Speech by eSpeak NG (the extra `demo-speech`), through ctypes. Only `render_speech` uses it.

eSpeak's state is global and not thread-safe: one `Espeak` a process.
"""

import ctypes
import importlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SYNCHRONOUS = 2
_UTF8 = 1
_RATE, _PITCH, _RANGE = 1, 3, 4
_EVENT_END, _EVENT_WORD = 0, 1


class _Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", ctypes.c_int64),
    )


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))


@dataclass(frozen=True, slots=True)
class Speaker:
    """One of eSpeak's voices, and how it speaks: words a minute, pitch and its range (0 to 100)."""

    voice: str
    rate: int
    pitch: int
    pitch_range: int


@dataclass(frozen=True, slots=True)
class Spoken:
    """`samples`: mono, int16, at `Espeak.rate` Hz. `marks`: for each word begun its place in the text and its ms."""

    samples: NDArray[np.int16]
    marks: list[tuple[int, int]]


class Espeak:
    """The library, loaded. Raises `ImportError` with the way to get it when the extra is missing."""

    def __init__(self) -> None:
        try:
            loader: Any = importlib.import_module("espeakng_loader")
        except ImportError as error:
            raise ImportError("eSpeak NG is missing: pip install 'livemon[demo-speech]'") from error
        self._library = ctypes.CDLL(loader.get_library_path())
        self._callback = _CALLBACK(self._collect)
        self._chunks: list[NDArray[np.int16]] = []
        self._marks: list[tuple[int, int]] = []
        self.rate = int(self._library.espeak_Initialize(_SYNCHRONOUS, 0, loader.get_data_path().encode(), 0))
        self._library.espeak_SetSynthCallback(self._callback)

    def speak(self, speaker: Speaker, text: str) -> Spoken:
        """Say `text`; the same input gives the same samples."""
        self._chunks, self._marks = [], []
        if self._library.espeak_SetVoiceByName(speaker.voice.encode()) != 0:
            raise ValueError(f"eSpeak NG has no voice {speaker.voice!r}")
        for parameter, value in ((_RATE, speaker.rate), (_PITCH, speaker.pitch), (_RANGE, speaker.pitch_range)):
            self._library.espeak_SetParameter(parameter, value, 0)
        data = text.encode()
        self._library.espeak_Synth(data, ctypes.c_size_t(len(data) + 1), 0, 1, 0, _UTF8, None, None)
        self._library.espeak_Synchronize()
        return Spoken(np.concatenate(self._chunks), self._marks)

    def _collect(self, samples: Any, count: int, events: Any) -> int:
        if count > 0:
            self._chunks.append(np.ctypeslib.as_array(samples, shape=(count,)).copy())
        for index in range(1_000):
            event = events[index]
            if event.type == _EVENT_END:
                break
            if event.type == _EVENT_WORD:
                self._marks.append((event.text_position - 1, event.audio_position))
        return 0
