"""Bad input is counted by reason and runtime, and named in the log at most once a minute a runtime."""

from itertools import count

from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from livemon.calls.drops import Drops
from livemon_runtime.errors import ProtocolError

NUMBERS = count()


def a_workspace() -> str:
    """One whose counters nobody has touched."""
    return f"drops-{next(NUMBERS)}"


def counted(workspace: str, reason: str, runtime: str, kind: str = "event") -> float:
    labels = {"workspace": workspace, "kind": kind, "reason": reason, "runtime": runtime}
    return REGISTRY.get_sample_value("livemon_input_dropped_total", labels) or 0


def test_each_drop_is_counted_by_kind_reason_and_runtime():
    workspace = a_workspace()
    drops = Drops(workspace)
    drops.drop("event", ProtocolError("malformed", "no rev"), "rt-1", 0)
    drops.drop("event", ProtocolError("malformed", "no rev"), "rt-1", 0)
    drops.drop("entry", ProtocolError("too_large"), None, 0)
    assert counted(workspace, "malformed", "rt-1") == 2
    assert counted(workspace, "too_large", "unknown", "entry") == 1


def test_a_runtime_is_named_in_the_log_once_a_minute_with_what_came_since():
    drops = Drops(a_workspace())
    with capture_logs() as logs:
        for at in range(0, 60_001, 10_000):
            drops.drop("event", ProtocolError("malformed", f"at {at}"), "rt-1", at)
        drops.drop("event", ProtocolError("malformed"), "rt-2", 1)
    said = [(log["runtime"], log["dropped_since_last_word"]) for log in logs]
    assert said == [("rt-1", 1), ("rt-1", 6), ("rt-2", 1)]
    assert logs[0]["detail"] == "at 0"


def test_names_beyond_a_thousand_share_one_label():
    workspace = a_workspace()
    drops = Drops(workspace)
    for number in range(1_200):
        drops.drop("event", ProtocolError("malformed"), f"rt-{number}", 0)
    assert counted(workspace, "malformed", "rt-999") == 1
    assert counted(workspace, "malformed", "rt-1000") == 0
    assert counted(workspace, "malformed", "other") == 200
