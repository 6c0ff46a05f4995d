"""What the API for programs answers, as the OpenAPI document says it. The answers are made elsewhere, and tests hold them
against these. Fields that Retell has and livemon does not are left out there, as its clients allow.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Ms = Annotated[int, Field(ge=0)]


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorWords(_Shape):
    code: str
    """For programs."""
    message: str
    """For people: what happened, what it means for the caller, what to do."""


class Error(_Shape):
    """Every answer from 400 on. `status` and `message` are Retell's."""

    status: Literal["error"]
    message: str
    error: ErrorWords


class Holder(_Shape):
    """The supervisor who has the call."""

    user_id: str
    name: str
    since: Ms
    lost_since: Ms | None
    """Since when the caller does not hear them."""
    role_lost_since: Ms | None
    """Since when they may not take calls over any more, and have this one still."""


class ListenerName(_Shape):
    user_id: str
    name: str


class Feed(_Shape):
    """Whether livemon follows the calls at this moment; if not, what is told may be out of date since then."""

    state: Literal["live", "stale"]
    since: Ms | None


class TranscriptExtent(_Shape):
    complete: bool
    """Whether there is nothing older than what is told."""
    notes: list[str]
    """What the agent's program says of the transcript itself, such as that some of it was lost."""


class LivemonsWord(_Shape):
    """What only livemon knows of a call."""

    status: Literal["registered", "ongoing", "taken_over", "ended", "error"]
    holder: Holder | None
    listeners: list[ListenerName]
    not_reporting_since: Ms | None
    """Since when its agent's program is not heard: nobody knows how the call is."""
    capabilities: list[Literal["listen", "take_over", "end", "inject"]]
    audio: bool
    agent_version: int | str | None
    """As the agent's program says it; Retell's `agent_version` is a whole number."""
    disconnection_reason: str | None
    """As the agent's program says it."""
    fields: dict[str, object]
    """What else the agent's program tells of the call."""
    unknown: list[str]
    """Fields that Retell's clients need and nobody has told: what stands in them is made up."""
    masked: bool
    now: Ms
    """Redis's clock, by which all times here are."""
    feed: Feed
    transcript: TranscriptExtent | None = None
    """Of one call, for whoever may read."""


class Word(_Shape):
    model_config = ConfigDict(extra="allow")
    word: str
    start: float
    end: float


class _Entry(_Shape):
    id: str
    time_sec: float
    """Since the call's start."""


class Utterance(_Entry):
    role: Literal["agent", "user"]
    content: str
    words: list[Word]
    interrupted: bool = False


class ToolCallInvocation(_Entry):
    role: Literal["tool_call_invocation"]
    tool_call_id: str
    name: str
    arguments: str
    type: str | None = None


class ToolCallResult(_Shape):
    role: Literal["tool_call_result"]
    tool_call_id: str
    content: str
    successful: bool
    time_sec: float
    id: str | None = None


class NodeTransition(_Entry):
    role: Literal["node_transition"]
    former_node_id: str
    former_node_name: str
    new_node_id: str
    new_node_name: str
    transition_type: Literal["global", "global_go_back", "interrupt_go_back", "normal"] | None = None


class Dtmf(_Entry):
    role: Literal["dtmf"]
    digit: str


class Picture(_Shape):
    url: str
    summary: str | None = None


class Sms(_Entry):
    role: Literal["sms"]
    content: str
    direction: str | None = None
    multimedia: list[Picture] = []


class Injected(_Entry):
    role: Literal["injected"]
    content: str
    by: str | None = None


TranscriptEntry = Annotated[
    Utterance | ToolCallInvocation | ToolCallResult | NodeTransition | Dtmf | Sms | Injected,
    Field(discriminator="role"),
]


class _Call(_Shape):
    call_id: str
    call_status: Literal["registered", "ongoing", "ended", "error"]
    """A call that a supervisor has is `ongoing`: `livemon.status` says more."""
    agent_id: str
    agent_version: int
    agent_name: str | None = None
    start_timestamp: Ms
    end_timestamp: Ms | None = None
    duration_ms: Ms | None = None
    """Of a call that has ended."""
    disconnection_reason: str | None = None
    metadata: dict[str, object]
    livemon: LivemonsWord
    transcript: str | None = None
    """Of one call, for whoever may read; so are the next two."""
    transcript_object: list[Utterance] | None = None
    transcript_with_tool_calls: list[TranscriptEntry] | None = None


class PhoneCall(_Call):
    call_type: Literal["phone_call"]
    direction: Literal["inbound", "outbound"]
    from_number: str
    to_number: str


class WebCall(_Call):
    call_type: Literal["web_call"]
    direction: Literal["inbound", "outbound"] | None = None
    access_token: Literal[""]
    """Nobody joins a call by one here."""


AnyCall = Annotated[PhoneCall | WebCall, Field(discriminator="call_type")]


class ListFeed(_Shape):
    feed: Feed
    now: Ms


class CallList(_Shape):
    items: list[AnyCall]
    has_more: bool
    pagination_key: str | None = None
    """Leads on to the next page; there if there is one."""
    total: int | None = None
    """Of all that fit, if it was asked for."""
    livemon: ListFeed


class Success(_Shape):
    success: Literal[True]


class IceServer(_Shape):
    urls: str | list[str]
    username: str | None = None
    credential: str | None = None


class LiveListener(_Shape):
    access_token: str
    """Good once, for this call."""
    expires_at: Ms
    participant_id: str
    room_name: str
    transport: Literal["gateway"]
    url: str
    """The signalling's WebSocket."""
    ice_servers: list[IceServer]


class TakeOverLiveCall(BaseModel):
    participant_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,128}$")]
    """Of the listener, as listening has named it."""
