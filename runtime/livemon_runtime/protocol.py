"""The messages of protocol v1 (docs/protocol.md), one small model each. Pure; no I/O.

Readers ignore unknown fields and keep them where they store them; times are integer milliseconds since the epoch.
"""

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from .codecs import Codec
from .errors import ProtocolError

_T = TypeVar("_T")

VERSION = 1
MAX_EVENT = 256_000
MAX_TURN_TEXT = 16_000
MAX_METADATA = 50_000
RUNTIME_TTL_S = 15
HEARTBEAT_S = 5
TAP_MS = 15_000
COMMAND_DEADLINE_MS = 5_000
COMMANDS_KEPT = 1_000
EVENTS_KEPT = 100_000
EXPIRE_AFTER_END_S = 3_600


class CallStatus(StrEnum):
    REGISTERED = "registered"
    ONGOING = "ongoing"
    TAKEN_OVER = "taken_over"
    ENDED = "ended"
    ERROR = "error"

    @property
    def final(self) -> bool:
        return self in (CallStatus.ENDED, CallStatus.ERROR)

    @property
    def listed(self) -> bool:
        """Whether the live call list shows it."""
        return self in (CallStatus.ONGOING, CallStatus.TAKEN_OVER)


Capability = Literal["listen", "take_over", "end", "inject"]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
Text = Annotated[str, Field(max_length=MAX_TURN_TEXT)]
ShortText = Annotated[str, Field(max_length=512)]
Milliseconds = Annotated[int, Field(ge=0, le=2**53)]
Seconds = Annotated[float, Field(allow_inf_nan=False)]


class _Message(BaseModel):
    model_config = ConfigDict(extra="allow")


class Audio(_Message):
    """Which codec each voice has; `supervisor` is what the runtime wants back (the caller's unless said)."""

    caller: Codec
    agent: Codec
    supervisor: Codec | None = None

    if TYPE_CHECKING:  # a codec may be said by its name

        def __init__(self, *, caller: str, agent: str, supervisor: str | None = None) -> None: ...


class Claim(_Message):
    user_id: ShortText
    name: ShortText
    claim_id: Identifier
    generation: int
    deadline: Milliseconds


class Controller(_Message):
    user_id: ShortText
    name: ShortText
    claim_id: Identifier
    generation: int
    since: Milliseconds
    lost_since: Milliseconds | None = None
    role_lost_since: Milliseconds | None = None
    """Written by livemon: since when the supervisor may not take calls over any more."""


class Call(_Message):
    call_id: Identifier
    call_type: Literal["phone_call", "web_call"]
    direction: Literal["inbound", "outbound"] | None = None
    from_number: ShortText | None = None
    to_number: ShortText | None = None
    agent_id: ShortText | None = None
    agent_name: ShortText | None = None
    agent_version: int | ShortText | None = None
    start_timestamp: Milliseconds
    call_status: CallStatus
    metadata: dict[str, Any] = Field(default_factory=dict)
    audio: Audio | None = None
    capabilities: list[Capability | str] = Field(default_factory=list)
    end_timestamp: Milliseconds | None = None
    disconnection_reason: ShortText | None = None


class CallState(_Message):
    """`data` of a `call_started`, `call_updated` or `call_ended` event."""

    call: Call
    controller: Controller | None = None
    claim: Claim | None = None
    runtime: Identifier
    resumed: bool = False


class RuntimeInfo(_Message):
    """Value of the runtime's key."""

    name: ShortText
    version: ShortText
    protocol: int = VERSION


# --- transcript entries -------------------------------------------------------------------------------------------


class _Entry(_Message):
    id: Annotated[str, Field(min_length=1, max_length=256)]
    time_ms: Milliseconds


class Word(_Message):
    word: ShortText
    start: Seconds
    end: Seconds


class Turn(_Entry):
    """What the agent or the caller (`user`) said; `final: false` only in the partials channel."""

    role: Literal["agent", "user"]
    content: Text
    final: bool = True
    words: list[Word] | None = None
    interrupted: bool | None = None
    retracted: bool | None = None


class ToolCallInvocation(_Entry):
    role: Literal["tool_call_invocation"]
    tool_call_id: Annotated[str, Field(min_length=1, max_length=256)]
    name: ShortText
    arguments: str = "{}"
    type: ShortText | None = None


class ToolCallResult(_Entry):
    role: Literal["tool_call_result"]
    tool_call_id: Annotated[str, Field(min_length=1, max_length=256)]
    content: str = ""
    successful: bool = True


class NodeTransition(_Entry):
    role: Literal["node_transition"]
    former_node_id: ShortText | None = None
    former_node_name: ShortText | None = None
    new_node_id: ShortText | None = None
    new_node_name: ShortText | None = None
    transition_type: ShortText | None = None


class Sms(_Entry):
    role: Literal["sms"]
    content: Text
    direction: Literal["inbound", "outbound"] | None = None
    multimedia: list[Any] | None = None


class Dtmf(_Entry):
    role: Literal["dtmf"]
    digit: Annotated[str, Field(min_length=1, max_length=32)]


class Injected(_Entry):
    role: Literal["injected"]
    content: Text
    by: ShortText | None = None


class Note(_Entry):
    """Said by the SDK itself, for instance how many entries were dropped while Redis was away."""

    role: Literal["note"]
    content: Text


Entry = Annotated[
    Turn | ToolCallInvocation | ToolCallResult | NodeTransition | Sms | Dtmf | Injected | Note,
    Field(discriminator="role"),
]
ENTRY: TypeAdapter[Entry] = TypeAdapter(Entry)


# --- commands -----------------------------------------------------------------------------------------------------


class _Command(_Message):
    command_id: Identifier
    call_id: Identifier
    by: ShortText
    by_name: ShortText
    deadline: Milliseconds


class TapCommand(_Command):
    type: Literal["tap"]


class InjectCommand(_Command):
    type: Literal["inject"]
    content: Text
    trigger_response: bool = False


class EndCommand(_Command):
    type: Literal["end"]


class TakeOverCommand(_Command):
    type: Literal["take_over"]
    claim_id: Identifier
    generation: int
    grace_ms: int


Command = Annotated[TapCommand | InjectCommand | EndCommand | TakeOverCommand, Field(discriminator="type")]
COMMAND: TypeAdapter[Command] = TypeAdapter(Command)

ErrorCode = Literal["not_found", "already_ended", "refused", "unsupported", "too_late", "failed"]


class CommandError(_Message):
    code: ErrorCode | str
    message: str = ""


class CommandResult(_Message):
    """`data` of a `command_result` event."""

    command_id: Identifier
    call_id: Identifier
    ok: bool
    error: CommandError | None = None


def read(adapter: TypeAdapter[_T], data: bytes | str, limit: int = MAX_EVENT) -> _T:
    """Parse JSON from outside into a message; raise `ProtocolError` with a reason fit for a metric's label."""
    if len(data) > limit:
        raise ProtocolError("too_large", f"{len(data)} bytes, at most {limit}")
    try:
        return adapter.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ProtocolError("malformed", f"{where}: {first['msg']}") from error


CALL_STATE: TypeAdapter[CallState] = TypeAdapter(CallState)
CALL: TypeAdapter[Call] = TypeAdapter(Call)
CONTROLLER: TypeAdapter[Controller] = TypeAdapter(Controller)
CLAIM: TypeAdapter[Claim] = TypeAdapter(Claim)
COMMAND_RESULT: TypeAdapter[CommandResult] = TypeAdapter(CommandResult)
RUNTIME_INFO: TypeAdapter[RuntimeInfo] = TypeAdapter(RuntimeInfo)
