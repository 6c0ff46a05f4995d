"""What is looked at: each rule by its name, with the sentence of docs/protocol.md that says so. Pure.

`GROUPS` are in the order in which they are tried; a rule's name is unique.
"""

from collections.abc import Mapping

GROUPS: Mapping[str, Mapping[str, str]] = {
    "announcing": {
        "runtime.id": "`call_id`, `runtime_id`, `claim_id` are 1 to 128 of `[A-Za-z0-9_.-]`",
        "runtime.key": "the runtime is alive: JSON `{name, version, protocol: 1}`",
        "runtime.expiry": "string, TTL 15 s",
        "runtime.renewed": "renewed every 5 s",
        "runtime.calls": "its live calls; at each heartbeat it ends members that it no longer has",
        "runtime.calls_expiry": "this key and the next expire an hour after the last heartbeat",
        "call.hash": "`incarnation` (random, new at each announcement), `rev`, `data` (JSON, the Call below), `runtime` (its id),"
        " `generation` (counts claims)",
        "call.fields": "`call_id`, `call_type` (`phone_call` | `web_call`), `direction` (`inbound` | `outbound`)",
        "call.capabilities": "`capabilities` (out of `listen`, `take_over`, `end`, `inject`)",
        "call.audio": "absent when the runtime cannot share audio",
        "call.index": "call id → `start_timestamp`; the live calls only",
        "call.kept": "A call's keys expire an hour after its end",
        "call.event": "one event with the new `rev` and the call as it now is",
    },
    "transcript": {
        "transcript.ids": "ids are `1-0`, `2-0`, `3-0` …: given by the runtime, the one writer",
        "transcript.entries": "Every entry has `id` (unique in the call; the same id again is the same entry, revised), `role`,"
        " `time_ms` since the call's start.",
        "transcript.final": "the final one goes to the stream",
        "partials.entries": "A partial goes to the partials channel under the same `id`",
        "partials.rate": "at most 10 a second",
    },
    "audio": {
        "tap.quiet": "Audio leaves the runtime only while somebody listens.",
        "tap.heartbeat": "it looks once a second while publishing, and at each heartbeat otherwise",
        "tap.off": "The runtime publishes while the tap zset has an entry in the future",
        "tap.command": "the `tap` command only wakes it sooner",
        "rtp.packet": "RTP (RFC 3550), one packet a message",
        "rtp.payload_type": "Payload types: `pcmu` 0, `pcma` 8, `opus` 111 (clock 48,000), `l16` 97",
        "rtp.ssrc": "A new SSRC means that the voice starts anew.",
        "rtp.sequence": "the sequence number goes up by one from packet to packet",
        "rtp.duration": "20 ms each as a rule (`l16/48000`: 10 ms)",
        "rtp.timestamp": "a voice that was silent jumps ahead and sets the marker bit",
        "rtp.pace": "RTP time runs with the clock",
    },
    "commands": {
        "command.not_found": "The runtime answers with a `command_result` event",
        "command.deadline": "One past its deadline, or with an id done in the last 10 minutes, has no effect",
        "command.repeated": "has no effect but to have its result repeated",
        "inject": "it then enters it into the transcript as `injected`",
        "command.unsupported": "what a runtime cannot do is shown disabled",
    },
    "take-over": {
        "claim.withdrawn": "Within one Redis exactly one of accept, refuse and withdraw wins",
        "claim.late": "the claim stands and its deadline has not passed",
        "claim.refused": "is how a runtime says no: the claim is cleared, nobody waits for the deadline",
        "accept": "the claim becomes the controller",
        "accept.again": "or it is the controller's already (then the answer is yes again, whatever the time)",
        "claim.channel": "a runtime subscribes only to the claim that it has accepted",
        "agent.silent": "Only on a yes does it silence the agent, for good,",
        "caller.always": "In a taken-over call it publishes the caller's voice always.",
        "supervisor.heard": "`lost_since` is absent while the supervisor is heard",
        "supervisor.lost": "no packet for 3 s: it publishes `controller.lost_since`",
        "accept.next": "join that claim's supervisor channel to the caller, and leave any earlier one",
    },
    "emptied": {
        "emptied.runtime": "within 10 s the runtimes have made it whole again",
        "emptied.call": "it **announces** again (`resumed: true`, not highlighted as new): a new incarnation, the call as it is",
        "emptied.controller": "`generation` the higher of stored and own, and its controller",
        "emptied.transcript": "so that a lost tail comes back by itself",
    },
    "grace": {
        "supervisor.gone": "it ends the call as `supervisor_lost`",
    },
    "ending": {
        "end": "At the end: `end_timestamp`, `disconnection_reason`",
        "end.index": "its `calls` entry goes at once",
        "end.expiry": "A call's keys expire an hour after its end (an append after the end sets the expiry too)",
        "end.again": "`end` on an ended call is `ok`",
    },
    "events": {
        "events.rev": "the hash, its `rev` + 1, the index, and one event with the new `rev` and the call as it now is",
        "events.fields": "`type` (`call_started`, `call_updated`, `call_ended`, `command_result`), `call_id`, `incarnation`",
    },
}

SENTENCES: Mapping[str, str] = {name: says for rules in GROUPS.values() for name, says in rules.items()}
