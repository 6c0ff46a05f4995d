"""What goes between the engine and its worker processes: framed sound and requests one way, JSON lines the other."""

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast

_HEAD = struct.Struct("<cIQI")


class Kind(Enum):
    LISTEN = b"L"
    SOUND = b"S"
    PAUSE = b"P"
    CLOSE = b"C"


@dataclass(frozen=True, slots=True)
class Request:
    """To a worker. `position`: samples of this ear's sound before `pcm` (16-bit mono at 8,000 Hz)."""

    kind: Kind
    ear: int
    position: int = 0
    pcm: bytes = b""

    def encode(self) -> bytes:
        return _HEAD.pack(self.kind.value, self.ear, self.position, len(self.pcm)) + self.pcm


class Requests:
    """Requests out of a stream of bytes, however it is cut."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Request]:
        self._rest += data
        while len(self._rest) >= _HEAD.size:
            kind, ear, position, length = _HEAD.unpack_from(self._rest)
            end = _HEAD.size + length
            if len(self._rest) < end:
                return
            pcm = bytes(self._rest[_HEAD.size : end])
            del self._rest[:end]
            yield Request(Kind(kind), ear, position, pcm)


@dataclass(frozen=True, slots=True)
class Taken:
    """From a worker: so many samples of the ear's sound are done with."""

    ear: int
    samples: int


@dataclass(frozen=True, slots=True)
class Text:
    """From a worker: what was understood, as `engine.OnText` has it."""

    ear: int
    text: str
    final: bool
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Closed:
    """From a worker: the ear has given all that it had."""

    ear: int


Reply = Taken | Text | Closed


def encode_reply(reply: Reply) -> bytes:
    match reply:
        case Taken():
            fields: list[Any] = [reply.ear, reply.samples]
        case Text():
            fields = [reply.ear, reply.text, reply.final, reply.start_ms, reply.end_ms]
        case Closed():
            fields = [reply.ear]
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def decode_reply(line: bytes) -> Reply:
    fields = cast(list[Any], json.loads(line))
    match len(fields):
        case 2:
            return Taken(*fields)
        case 5:
            return Text(*fields)
        case _:
            return Closed(*fields)
