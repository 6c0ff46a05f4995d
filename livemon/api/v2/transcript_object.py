"""A transcript in Retell's three shapes, from the items of `livemon.calls.transcript`, which are masked already if they are
to be. Pure. What is being said at this moment is left out: it may yet come to nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import cast

from livemon.calls.transcript import Item

_SPEAKERS = {"agent": "Agent", "user": "User"}
_TRANSITIONS = ("global", "global_go_back", "interrupt_go_back", "normal")
_NODES = ("former_node_id", "former_node_name", "new_node_id", "new_node_name")


def transcript_fields(items: Iterable[Item]) -> dict[str, object]:
    """`transcript`, `transcript_object` and `transcript_with_tool_calls`; the runtime's own notes aside."""
    spoken = [item for item in items if item.get("final", True) and item["role"] != "note"]
    turns = [item for item in spoken if item["role"] in _SPEAKERS]
    return {
        "transcript": "".join(f"{_SPEAKERS[str(turn['role'])]}: {turn['content']}\n" for turn in turns),
        "transcript_object": [_utterance(turn) for turn in turns],
        "transcript_with_tool_calls": _entries(spoken),
    }


def notes(items: Iterable[Item]) -> list[str]:
    """What the runtime has to say of the transcript itself, such as that some of it was lost."""
    return [str(item["content"]) for item in items if item["role"] == "note"]


def _entries(items: Iterable[Item]) -> list[dict[str, object]]:
    """In the order of time; a tool's result is an entry of its own."""
    return sorted(
        (entry for item in items for entry in entries_of(item)), key=lambda entry: cast("float", entry["time_sec"])
    )


def entries_of(item: Item) -> list[dict[str, object]]:
    """An item as Retell's entries: a tool's card is its invocation, and its result if it is there."""
    if not isinstance(result := item.get("result"), dict):
        return [_entry(item)]
    told = {**cast("Mapping[str, object]", result), "tool_call_id": item["tool_call_id"]}
    return [_entry(item), {**_result(told), "id": told["id"], **_when(told)}]


def _entry(item: Item) -> dict[str, object]:
    role = str(item["role"])
    if role in _SPEAKERS:
        return _utterance(item)
    return {"role": role, **_MAKERS[role](item), "id": item["id"], **_when(item)}


def _utterance(item: Item) -> dict[str, object]:
    told: dict[str, object] = {"role": item["role"], "content": item["content"], "words": item.get("words") or []}
    if item.get("interrupted"):
        told["interrupted"] = True
    return {**told, "id": item["id"], **_when(item)}


def _invocation(item: Item) -> dict[str, object]:
    told = {name: item[name] for name in ("tool_call_id", "name", "arguments")}
    return {**told, "type": item["type"]} if item.get("type") else told


def _result(item: Mapping[str, object]) -> dict[str, object]:
    return {"role": "tool_call_result", **{name: item[name] for name in ("tool_call_id", "content", "successful")}}


def _transition(item: Item) -> dict[str, object]:
    told: dict[str, object] = {name: item.get(name) or "" for name in _NODES}
    how = item.get("transition_type")
    return {**told, "transition_type": how} if how in _TRANSITIONS else told


def _sms(item: Item) -> dict[str, object]:
    told: dict[str, object] = {"content": item["content"]}
    if item.get("direction"):
        told["direction"] = item["direction"]
    sent = item.get("multimedia")
    pictures = [
        _picture(cast("Mapping[str, object]", one)) for one in cast("list[object]", sent or []) if _has_url(one)
    ]
    return {**told, "multimedia": pictures} if pictures else told


def _has_url(one: object) -> bool:
    return isinstance(one, dict) and isinstance(cast("Mapping[str, object]", one).get("url"), str)


def _picture(one: Mapping[str, object]) -> dict[str, object]:
    summary = one.get("summary")
    return {"url": one["url"], **({"summary": summary} if isinstance(summary, str) else {})}


def _injected(item: Item) -> dict[str, object]:
    return {"content": item["content"], **({"by": item["by"]} if item.get("by") else {})}


def _dtmf(item: Item) -> dict[str, object]:
    return {"digit": item["digit"]}


def _note(item: Item) -> dict[str, object]:
    return {"content": item["content"]}


_MAKERS: Mapping[str, Callable[[Item], dict[str, object]]] = {
    "tool_call_invocation": _invocation,
    "tool_call_result": _result,
    "node_transition": _transition,
    "sms": _sms,
    "dtmf": _dtmf,
    "injected": _injected,
    "note": _note,
}


def _when(item: Mapping[str, object]) -> dict[str, object]:
    """Seconds since the call's start."""
    return {"time_sec": _ms(item) / 1000}


def _ms(item: Mapping[str, object]) -> int:
    return cast("int", item["time_ms"])
