"""The messages of Twilio's Media Streams, read and written. Pure.

Read is only what the gateway has to know; what it passes on is the text that came, whatever else is in it.
"""

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, cast

from pydantic_core import from_json

from ...errors import ProtocolError
from .mu_law import silence

Message = dict[str, Any]

MOST_FROM_CARRIER = 64_000
"""Bytes of one message: Twilio's own have about 400, and custom parameters may have some thousand."""
MOST_FROM_BOT = 4_000_000
"""A bot may send minutes of sound in one message."""
_LONGEST_NAME = 256


@dataclass(frozen=True, slots=True)
class Start:
    """What a stream says of its call. `parameters`: the `<Parameter>`s of its TwiML."""

    call_sid: str
    stream_sid: str
    account_sid: str
    parameters: dict[str, str]

    def parameter(self, *names: str) -> str | None:
        """The first of these that was given and is not empty."""
        return next((self.parameters[name] for name in names if self.parameters.get(name)), None)


def read(text: str) -> Message:
    """A message with its `event`. Raises `ProtocolError`: `no_json`, `no_event`."""
    try:
        message: Any = from_json(text, cache_strings="keys")  # payloads never come again
    except ValueError as error:
        raise ProtocolError("no_json", str(error)[:200]) from None
    if not isinstance(message, dict) or not isinstance(cast("Message", message).get("event"), str):
        raise ProtocolError("no_event", text[:100])
    return cast("Message", message)


def start(message: Message) -> Start:
    """Raises `ProtocolError`: `bad_start`."""
    told = _part(message, "start", "bad_start")
    sids = [told.get(name, "") for name in ("callSid", "streamSid", "accountSid")]
    call_sid, stream_sid, account_sid = (sid if isinstance(sid, str) else "" for sid in sids)
    stream_sid = stream_sid or str(message.get("streamSid") or "")
    given = told.get("customParameters")
    parameters = cast("dict[str, Any]", given) if isinstance(given, dict) else {}
    if not call_sid or not stream_sid:
        raise ProtocolError("bad_start", "a start message without callSid or streamSid")
    texts = {name: value for name, value in parameters.items() if isinstance(value, str)}
    return Start(call_sid, stream_sid, account_sid, texts)


def payload(message: Message) -> str:
    """Base64 of a `media` message. Raises `ProtocolError`: `bad_media`."""
    told = _part(message, "media", "bad_media").get("payload")
    if not isinstance(told, str):
        raise ProtocolError("bad_media", "a media message without payload")
    return told


def is_callers(message: Message) -> bool:
    """Whether a `media` message has the caller's voice; a stream may carry the other track too."""
    return message["media"].get("track", "inbound") in ("inbound", "inbound_track")


def size(text: str) -> int:
    """How many bytes base64 stands for, without decoding it."""
    return max(0, len(text) * 3 // 4 - text.count("=", -2) if len(text) > 1 else 0)


def sound(text: str) -> bytes:
    """The bytes of base64. Raises `ProtocolError`: `bad_base64`."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ProtocolError("bad_base64", str(error)) from None


def mark_name(message: Message) -> str:
    """Raises `ProtocolError`: `bad_mark`."""
    name = _part(message, "mark", "bad_mark").get("name")
    if not isinstance(name, str) or len(name) > _LONGEST_NAME:
        raise ProtocolError("bad_mark", "a mark without a name, or with one that is too long")
    return name


def digit(message: Message) -> str:
    """Raises `ProtocolError`: `bad_dtmf`."""
    pressed = _part(message, "dtmf", "bad_dtmf").get("digit")
    if not isinstance(pressed, str) or not pressed:
        raise ProtocolError("bad_dtmf", "a dtmf message without a digit")
    return pressed


def sequence(message: Message) -> int | None:
    told = message.get("sequenceNumber")
    return int(told) if isinstance(told, str) and told.isascii() and told.isdecimal() and len(told) < 16 else None


def write(event: str, stream_sid: str, **fields: Any) -> str:
    """A message as either side expects it."""
    return json.dumps({"event": event, "streamSid": stream_sid, **fields})


def _part(message: Message, name: str, reason: str) -> Message:
    told = message.get(name)
    if not isinstance(told, dict):
        raise ProtocolError(reason, f"a {name} message without its part «{name}»")
    return cast("Message", told)


def media(stream_sid: str, mu_law: bytes) -> str:
    """Sound for Twilio to play."""
    return write("media", stream_sid, media={"payload": base64.b64encode(mu_law).decode()})


def silenced(message: Message) -> str:
    """The caller's message to the bot, with silence in it."""
    message["media"]["payload"] = silence(size(message["media"]["payload"]))
    return json.dumps(message)
