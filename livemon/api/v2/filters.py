"""The filters of `POST /v3/list-calls`: how they may be written, and which calls they let through. Pure.

A filter sees of a call what the asker sees (`View`), so that nobody finds out by asking what is masked for them. Conditions
are connected by «and».
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Annotated, Literal, TypeGuard, cast

from pydantic import BaseModel, ConfigDict, Field

from livemon.calls.registry import LiveCall
from livemon.masking.values import mask_value

MOST_VALUES = 1_000
MOST_FILTERS = 20
LONGEST = 1_024

Text = Annotated[str, Field(max_length=LONGEST)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class _Strict(BaseModel):
    """What is not known here is refused, and never passed over."""

    model_config = ConfigDict(extra="forbid", strict=True)


class StringFilter(_Strict):
    """eq: equal, ne: not equal, sw: starts with, ew: ends with, co: contains"""

    type: Literal["string"]
    op: Literal["eq", "ne", "sw", "ew", "co"]
    value: Text

    def fits(self, value: object) -> bool:
        if not isinstance(value, str):
            return self.op == "ne"
        return _STRINGS[self.op](value, self.value)


class NumberFilter(_Strict):
    """eq: equal, ne: not equal, gt, ge: greater (or equal), lt, le: less (or equal)"""

    type: Literal["number"]
    op: Literal["eq", "ne", "gt", "ge", "lt", "le"]
    value: Number

    def fits(self, value: object) -> bool:
        if not _is_number(value):
            return self.op == "ne"
        return _NUMBERS[self.op](value, self.value)


class RangeFilter(_Strict):
    """bt: from the first to the second, both included"""

    type: Literal["range"]
    op: Literal["bt"]
    value: Annotated[list[Number], Field(min_length=2, max_length=2)]

    def fits(self, value: object) -> bool:
        return _is_number(value) and self.value[0] <= value <= self.value[1]


class BooleanFilter(_Strict):
    type: Literal["boolean"]
    op: Literal["eq"]
    value: bool

    def fits(self, value: object) -> bool:
        return value is self.value


class EnumFilter(_Strict):
    """in: one of the values"""

    type: Literal["enum"]
    op: Literal["in"]
    value: Annotated[list[Text], Field(max_length=MOST_VALUES)]

    def fits(self, value: object) -> bool:
        return value in self.value


class PresentFilter(_Strict):
    """pr: there and not null, np: not"""

    type: Literal["present"]
    op: Literal["pr", "np"]

    def fits(self, value: object) -> bool:
        return (value is not None) == (self.op == "pr")


class StatusFilter(EnumFilter):
    value: Annotated[list[Literal["ongoing"]], Field(max_length=MOST_VALUES)]  # pyright: ignore[reportIncompatibleVariableOverride]


class CallTypeFilter(EnumFilter):
    value: Annotated[list[Literal["web_call", "phone_call"]], Field(max_length=MOST_VALUES)]  # pyright: ignore[reportIncompatibleVariableOverride]


class DirectionFilter(EnumFilter):
    value: Annotated[list[Literal["inbound", "outbound"]], Field(max_length=MOST_VALUES)]  # pyright: ignore[reportIncompatibleVariableOverride]


class _Keyed(_Strict):
    key: Text
    """Of the call's `metadata`, at its top."""


class MetadataString(StringFilter, _Keyed): ...


class MetadataNumber(NumberFilter, _Keyed): ...


class MetadataRange(RangeFilter, _Keyed): ...


class MetadataBoolean(BooleanFilter, _Keyed): ...


class MetadataEnum(EnumFilter, _Keyed): ...


class MetadataPresent(PresentFilter, _Keyed): ...


MetadataFilter = Annotated[
    MetadataString | MetadataNumber | MetadataRange | MetadataBoolean | MetadataEnum | MetadataPresent,
    Field(discriminator="type"),
]
NumberOrRange = Annotated[NumberFilter | RangeFilter, Field(discriminator="type")]


class AgentFilter(_Strict):
    """An agent, in these versions; in any without them."""

    agent_id: Text
    version: Annotated[list[Number], Field(max_length=MOST_VALUES)] = []

    def fits(self, view: "View") -> bool:
        return view.agent_id == self.agent_id and (not self.version or view.agent_version in self.version)


class FilterCriteria(_Strict):
    """All that are given have to fit; of `agent` any one."""

    agent: Annotated[list[AgentFilter], Field(max_length=MOST_FILTERS)] | None = None
    call_id: Annotated[StringFilter | EnumFilter, Field(discriminator="type")] | None = None
    call_status: StatusFilter | None = None
    call_type: CallTypeFilter | None = None
    direction: DirectionFilter | None = None
    duration_ms: NumberOrRange | None = None
    """Since its start, to now."""
    from_number: StringFilter | None = None
    to_number: StringFilter | None = None
    metadata: Annotated[list[MetadataFilter], Field(max_length=MOST_FILTERS)] | None = None
    start_timestamp: NumberOrRange | None = None

    @property
    def numbers(self) -> bool:
        """Whether it looks at whose numbers a call has."""
        return self.from_number is not None or self.to_number is not None


NOT_HERE: Mapping[str, str] = {
    **dict.fromkeys(
        ("call_successful", "custom_analysis_data", "in_voicemail", "user_sentiment"), "it analyses no calls"
    ),
    **dict.fromkeys(("combined_cost", "data_storage_setting"), "it neither bills nor stores calls"),
    **dict.fromkeys(("agent_tag", "batch_call_id", "custom_attributes"), "its calls have none"),
    "dynamic_variables": "its calls have none; filter by metadata",
    **dict.fromkeys(("disconnection_reason", "end_timestamp"), "the list has the calls that go on, and they have none"),
    "e2e_latency_p50": "it does not measure an agent's latency",
    "tool_calls": "it does not look into transcripts for a list",
}
"""What Retell can filter by and livemon cannot, and why: asked for, it is refused."""
ONLY_ONGOING = "the list has the calls that go on; one that has ended is asked for by its id, for an hour"


@dataclass(frozen=True, slots=True)
class View:
    """What of a call the asker sees. `now`: ms, Redis's clock."""

    live: LiveCall
    unmasked: bool
    now: int

    @property
    def agent_id(self) -> object:
        return self._seen(self.live.call.agent_id)

    @property
    def agent_version(self) -> object:
        return self._seen(self.live.call.agent_version)

    def metadata(self) -> Mapping[str, object]:
        seen = self._seen(self.live.call.metadata)
        return cast("Mapping[str, object]", seen) if isinstance(seen, dict) else {}

    def _seen(self, value: object) -> object:
        return value if self.unmasked else mask_value(value)


def lets_through(criteria: FilterCriteria, view: View) -> bool:
    """Whether all conditions fit; the cheap ones are looked at first."""
    call = view.live.call
    plain = (
        (criteria.call_id, call.call_id),
        (criteria.call_status, "ongoing"),
        (criteria.call_type, call.call_type),
        (criteria.direction, call.direction),
        (criteria.start_timestamp, call.start_timestamp),
        (criteria.duration_ms, max(0, view.now - call.start_timestamp)),
        (criteria.from_number, call.from_number),
        (criteria.to_number, call.to_number),
    )
    if not all(each is None or each.fits(value) for each, value in plain):
        return False
    if criteria.agent and not any(each.fits(view) for each in criteria.agent):
        return False
    return not criteria.metadata or _all_fit(criteria.metadata, view.metadata())


def _all_fit(filters: Sequence[MetadataFilter], metadata: Mapping[str, object]) -> bool:
    return all(each.fits(metadata.get(each.key)) for each in filters)


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


_STRINGS: Mapping[str, Callable[[str, str], bool]] = {
    "eq": eq,
    "ne": ne,
    "sw": str.startswith,
    "ew": str.endswith,
    "co": str.__contains__,
}
_NUMBERS: Mapping[str, Callable[[float, float], bool]] = {"eq": eq, "ne": ne, "gt": gt, "ge": ge, "lt": lt, "le": le}
