"""The published vectors are what our models read and write; a field that is lost on the way would show here."""

import json
from pathlib import Path
from typing import Any

import pytest

from livemon_runtime import entries
from livemon_runtime.errors import ProtocolError
from livemon_runtime.protocol import CALL_STATE, COMMAND, COMMAND_RESULT, ENTRY, read

VECTORS: dict[str, list[dict[str, Any]]] = json.loads(
    (Path(__file__).parents[2] / "docs" / "vectors" / "messages.json").read_text("utf-8")
)
READERS = {"entries": ENTRY, "events": CALL_STATE, "commands": COMMAND, "results": COMMAND_RESULT}


def cases(*kinds: str) -> list[Any]:
    return [pytest.param(kind, case["json"], id=case["what"]) for kind in kinds for case in VECTORS[kind]]


@pytest.mark.parametrize(("kind", "message"), cases("entries", "events", "commands", "results"))
def test_a_message_is_read_and_written_without_loss(kind: str, message: dict[str, Any]) -> None:
    again = json.loads(read(READERS[kind], json.dumps(message)).model_dump_json(exclude_unset=True))
    assert again == message


@pytest.mark.parametrize(("kind", "message"), cases("refused_entries", "refused_events"))
def test_a_message_that_breaks_the_protocol_is_refused(kind: str, message: dict[str, Any]) -> None:
    with pytest.raises(ProtocolError):
        read(READERS[kind.removeprefix("refused_")], json.dumps(message))


@pytest.mark.parametrize(("kind", "message"), cases("entries"))
def test_the_sdk_writes_an_entry_as_its_vector_says(kind: str, message: dict[str, Any]) -> None:
    assert json.loads(entries.encode(message)) == message
