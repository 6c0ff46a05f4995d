"""The counters that livemon shows at /metrics (Prometheus). They hold no data about calls or people."""

from prometheus_client import Counter, Gauge

INPUT_DROPPED = Counter(
    "livemon_input_dropped",
    "Events, transcript entries and partials that broke the protocol or its limits",
    ["workspace", "kind", "reason", "runtime"],
)
EVENTS = Counter("livemon_events", "Events read from Redis", ["workspace"])
REPAIRS = Counter("livemon_repairs", "Calls that differed from Redis at the periodic comparison", ["workspace"])
SNAPSHOTS = Counter("livemon_snapshots", "Times the calls were read anew from Redis", ["workspace", "cause"])
RUNTIME_LOST = Counter("livemon_runtime_lost", "Calls ended because their runtime did not come back", ["workspace"])
LIVE_CALLS = Gauge("livemon_live_calls", "Calls that the list shows", ["workspace"])
FEED_STALE = Gauge(
    "livemon_feed_stale", "1 while Redis cannot be reached and the list may be out of date", ["workspace"]
)
SLOW_SOCKETS = Counter("livemon_slow_sockets", "Times a socket fell behind and got a fresh snapshot", ["feed"])
SOCKETS = Gauge("livemon_sockets", "Open sockets", ["feed"])
COMMANDS = Counter("livemon_commands", "Commands to runtimes, by outcome", ["workspace", "type", "outcome"])
TAKE_OVERS = Counter(
    "livemon_take_overs", "Attempts at taking a call over, by how they ended", ["workspace", "outcome"]
)
AUDIT_WAITING = Gauge("livemon_audit_waiting", "Acts that are done and not yet in the audit log")
AUDIT_LOST = Counter(
    "livemon_audit_lost", "Acts that are done and will never be in the audit log: it was away too long"
)
