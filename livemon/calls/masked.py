"""A call's row, its details and its transcript as they leave the server for whoever may not see numbers (docs/rights.md).

Kept as they are: what names a call or a colleague, states, and times. Everything else goes through `livemon.masking`, what a
later version of the protocol adds included. Pure.
"""

import secrets
from collections.abc import Mapping
from hashlib import blake2b
from typing import cast

import orjson

from livemon.masking.digits import LONG, find_digits
from livemon.masking.text import count_pieces, mask_number, mask_text
from livemon.masking.values import mask_value
from livemon_runtime.protocol import Turn

from .encoding import encode_to_keep
from .transcript import Item, Key, Transcript, Update

Object = Mapping[str, object]

TURNS_NEAR = 8
"""A number that is said in pieces is recognised over so many turns, whoever speaks them."""
PRESSED = "•"
"""In place of a key that was pressed."""

_IN_ROWS = frozenset({"id", "start", "type", "dir", "status", "holder", "listeners", "quiet", "caps", "audio"})
_IN_CALLS = frozenset({"call_id", "call_type", "direction", "start_timestamp", "end_timestamp", "call_status"})
_IN_ITEMS = frozenset({"role", "time_ms", "key"})
_NUMBERS = frozenset({"from", "to", "from_number", "to_number"})
_IDS = frozenset({"id", "tool_call_id"})
_CODECS = ("caller", "agent", "supervisor")
_HELD_BY = ("user_id", "name", "claim_id", "generation", "since", "lost_since", "deadline")

_SECRET = secrets.token_bytes(32)
_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def mask_row(encoded: bytes) -> bytes:
    """The row of `rows.row`, masked."""
    row = cast("dict[str, object]", orjson.loads(encoded))
    return encode_to_keep({name: _mask(name, value, _IN_ROWS) for name, value in row.items()})


def mask_call(call: Object) -> dict[str, object]:
    """The details of a call (docs/protocol.md, «Call»), masked."""
    masked = {mask_text(name): _mask(name, value, _IN_CALLS) for name, value in call.items() if name != "audio"}
    if isinstance(audio := call.get("audio"), dict):
        masked["audio"] = _only(cast("dict[str, object]", audio), _CODECS)
    return masked


def mask_holder(holder: Object | None) -> dict[str, object] | None:
    """Who has a call, or asks for it, without what a runtime may have added."""
    return None if holder is None else _only(holder, _HELD_BY)


def mask_id(name: str) -> str:
    """An entry's id, or another in its place if a number may stand in it: always the same while this process runs."""
    if mask_value(name) == name:
        return name
    return blake2b(name.encode(), digest_size=16, key=_SECRET).hexdigest().translate(_LETTERS)


class MaskedTranscript:
    """Masks the items of a transcript, each with an eye on the turns around it."""

    def __init__(self, transcript: Transcript) -> None:
        self._transcript = transcript
        self._pieces: dict[str, int] = {}
        """Turn id -> digits in it that may belong to a number; for one pass."""

    def items(self, items: list[Item]) -> list[Item]:
        """The items, masked."""
        self._pieces.clear()
        return [self._item(item) for item in items]

    def put(self, update: Update) -> list[Item]:
        """What an update puts, masked; and the turns around it again that may be pieces of the same number."""
        self._pieces.clear()
        shown = {cast("str", item["id"]): item for item in update.put}
        for item in update.put:
            if _is_turn(item) and self._digits(item):
                near = (turn.id for turn in self._near(item) if self._digits_of(turn.id, turn.content))
                shown |= {turn_id: self._transcript.item(turn_id) for turn_id in near if turn_id not in shown}
        return [self._item(item) for item in shown.values()]

    def _item(self, item: Item) -> Item:
        masked = {mask_text(name): _mask(name, value, _IN_ITEMS) for name, value in item.items() if name != "words"}
        if _is_turn(item):
            masked["content"] = self._turn(item)
        elif item["role"] == "dtmf":
            masked["digit"] = PRESSED if find_digits(str(item["digit"])).runs else masked["digit"]
        elif item["role"] == "tool_call_invocation" and isinstance(item["result"], dict):
            result = cast("dict[str, object]", item["result"])
            masked["result"] = {name: _mask(name, value, _IN_ITEMS) for name, value in result.items()}
        return masked

    def _turn(self, item: Item) -> str:
        """What is said, without the pieces of a number that is said bit by bit."""
        digits = self._digits(item)
        if digits and digits < LONG:
            digits += sum(self._digits_of(turn.id, turn.content) for turn in self._near(item))
        return mask_text(cast("str", item["content"]), pieces=digits >= LONG)

    def _near(self, item: Item) -> list[Turn]:
        return self._transcript.turns_near(_key_of(item), cast("str", item["id"]), TURNS_NEAR)

    def _digits(self, item: Item) -> int:
        return self._digits_of(cast("str", item["id"]), cast("str", item["content"]))

    def _digits_of(self, turn_id: str, content: str) -> int:
        if turn_id not in self._pieces:
            self._pieces[turn_id] = count_pieces(content)
        return self._pieces[turn_id]


def _is_turn(item: Item) -> bool:
    return item["role"] in ("agent", "user")


def _key_of(item: Item) -> Key:
    time_ms, n = cast("list[int]", item["key"])
    return time_ms, n


def _mask(name: str, value: object, kept: frozenset[str]) -> object:
    if name in kept:
        return value
    if isinstance(value, str) and name in _IDS:
        return mask_id(value)
    return mask_number(value) if isinstance(value, str) and name in _NUMBERS else mask_value(value)


def _only(value: Object, names: tuple[str, ...]) -> dict[str, object]:
    return {name: value[name] for name in names if name in value}
