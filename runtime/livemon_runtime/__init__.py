"""The runtime's side of the livemon protocol: announce calls, stream transcripts and audio, obey commands.

Everything a bot needs is here; `Runtime` is where it begins (README.md). The protocol itself is in `protocol`, `keys`,
`rtp`, `codecs` and `scripts`, for whoever writes another client.
"""

from .call import Call
from .codecs import Codec
from .errors import Failure, InvalidName, LivemonError, ProtocolError, Refusal, RtpError, Unsupported
from .protocol import Audio
from .runtime import Runtime
from .supervisor import Supervisor
from .turn import Turn

__all__ = [
    "Audio",
    "Call",
    "Codec",
    "Failure",
    "InvalidName",
    "LivemonError",
    "ProtocolError",
    "Refusal",
    "RtpError",
    "Runtime",
    "Supervisor",
    "Turn",
    "Unsupported",
]
