"""A call in Retell's shape, as somebody may see it, with what only livemon knows in the field `livemon`. Pure.

Retell's clients tell a phone call from a web call by which fields it has, and read a word that they do not know as the other
kind: so each of its words is one of theirs, and what they need and nobody has said is filled in, and named in `unknown`.
"""

from collections.abc import Iterable, Mapping
from typing import cast, get_args

from livemon.calls.masked import mask_call, mask_holder
from livemon.calls.presence import Listener
from livemon.calls.registry import LiveCall
from livemon.calls.rows import people
from livemon.calls.sight import Sight
from livemon_runtime.protocol import Call, CallStatus, Capability

STATUSES: Mapping[CallStatus, str] = {
    CallStatus.REGISTERED: "registered",
    CallStatus.ONGOING: "ongoing",
    CallStatus.TAKEN_OVER: "ongoing",
    CallStatus.ENDED: "ended",
    CallStatus.ERROR: "error",
}
REASONS = frozenset(
    {
        *("user_hangup", "agent_hangup", "user_requested_dnc", "user_requested_callback", "call_transfer"),
        *("voicemail_reached", "ivr_reached", "inactivity", "max_duration_reached", "concurrency_limit_reached"),
        *("no_concurrency_fallback", "no_valid_payment", "credit_exhausted", "budget_reached", "scam_detected"),
        *("dial_busy", "dial_failed", "dial_no_answer", "invalid_destination", "telephony_provider_unavailable"),
        *("telephony_provider_permission_denied", "sip_routing_error", "marked_as_spam", "network_blocked"),
        *("user_declined", "error_llm_websocket_open", "error_llm_websocket_lost_connection", "error_asr"),
        *("error_llm_websocket_runtime", "error_llm_websocket_corrupt_payload", "error_no_audio_received"),
        *("error_retell", "error_unknown", "error_user_not_joined", "registered_call_timeout", "transfer_bridged"),
        *("transfer_cancelled", "manual_stopped", "call_take_over"),
    }
)
"""Retell's words for why a call ended."""
_STAFF_ENDED = {"supervisor_hangup": "manual_stopped"}
_CAPABILITIES = cast("tuple[str, ...]", get_args(Capability))
_HOLDER = ("user_id", "name", "since", "lost_since", "role_lost_since")


def call_object(live: LiveCall, listeners: Iterable[Listener], sight: Sight, now: int) -> dict[str, object]:
    """`now`: ms, Redis's clock."""
    said = live.call.model_dump(mode="json", exclude_none=True)
    seen = said if sight.unmasked else mask_call(said)
    unknown: list[str] = []
    answer = _plain(live, seen)
    if live.call.call_type == "phone_call":
        answer |= _filled(seen, {"direction": "inbound", "from_number": "", "to_number": ""}, unknown)
    else:
        answer["access_token"] = ""  # nobody joins a call here by one
    answer |= _filled(seen, {"agent_id": ""}, unknown)
    said_version = seen.get("agent_version")
    answer["agent_version"] = version = _version(said_version)
    if version != said_version:
        unknown.append("agent_version")
    return answer | {"livemon": _more(live, seen, listeners, sight, now, unknown)}


def _plain(live: LiveCall, seen: Mapping[str, object]) -> dict[str, object]:
    """What both kinds of call have."""
    call = live.call
    answer: dict[str, object] = {
        "call_id": call.call_id,
        "call_type": call.call_type,
        "call_status": STATUSES[call.call_status],
        "start_timestamp": call.start_timestamp,
        "metadata": seen.get("metadata", {}),
    }
    if call.agent_name is not None:
        answer["agent_name"] = seen["agent_name"]
    if call.end_timestamp is not None:
        answer["end_timestamp"] = call.end_timestamp
        answer["duration_ms"] = max(0, call.end_timestamp - call.start_timestamp)
    if call.disconnection_reason is not None:
        answer["disconnection_reason"] = reason_word(call.disconnection_reason)
    return answer


def _filled(seen: Mapping[str, object], needed: Mapping[str, str], unknown: list[str]) -> dict[str, object]:
    unknown += [name for name in needed if name not in seen]
    return {name: seen.get(name, instead) for name, instead in needed.items()}


def _version(said: object) -> int:
    """Retell's are whole numbers; 0 for any other."""
    return said if isinstance(said, int) and abs(said) < 2**31 else 0


def reason_word(reason: str) -> str:
    """Why a call ended, in one of Retell's words; livemon's own stands in `livemon.disconnection_reason`."""
    return reason if reason in REASONS else _STAFF_ENDED.get(reason, "error_unknown")


def _more(
    live: LiveCall,
    seen: Mapping[str, object],
    listeners: Iterable[Listener],
    sight: Sight,
    now: int,
    unknown: list[str],
) -> dict[str, object]:
    holder = live.controller.model_dump() if live.controller else None
    shown = holder if holder is None or sight.unmasked else {**holder, **(mask_holder(holder) or {})}
    return {
        "status": live.call.call_status,
        "holder": {name: shown.get(name) for name in _HOLDER} if shown else None,
        "listeners": people(listeners),
        "not_reporting_since": live.quiet_since,
        "capabilities": [one for one in _CAPABILITIES if one in live.call.capabilities],
        "audio": live.call.audio is not None,
        "agent_version": seen.get("agent_version"),
        "disconnection_reason": seen.get("disconnection_reason"),
        "fields": {name: value for name, value in seen.items() if name not in Call.model_fields},
        "unknown": unknown,
        "masked": not sight.unmasked,
        "now": now,
    }
