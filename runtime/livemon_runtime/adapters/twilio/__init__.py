"""Twilio Media Streams: a gateway between the carrier and any bot that speaks them (docs/twilio.md).

The bot stays as it is: only the `<Stream url>` changes. `Gateway` is the server, a `Bridge` one call in it. Needs
`pip install livemon-runtime[twilio]`.
"""

from .gateway import Gateway
from .options import BadOption, Options

__all__ = ["BadOption", "Gateway", "Options"]
