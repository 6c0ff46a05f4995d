"""What listening counts at /metrics; bad packets are counted with all other bad input (`livemon.calls.drops`)."""

from prometheus_client import Counter, Gauge

READER_BROKEN = Counter("livemon_audio_reader_broken", "Times that Redis or the network cut the audio subscription off")
TAP_FAILED = Counter("livemon_tap_failed", "Times that a call's audio could not be asked for because Redis was away")
LISTENERS = Gauge("livemon_listeners", "Browsers that are listening to a call")
LISTENERS_STOPPED = Counter("livemon_listeners_stopped", "Listeners that have stopped", ["reason"])
PACKETS_SENT = Counter("livemon_listen_packets", "Audio packets sent to listeners")
PACKETS_STALLED = Counter(
    "livemon_listen_packets_stalled", "Audio packets not sent to a listener whose socket was full"
)
PACKETS_REFUSED = Counter("livemon_listen_inbound_packets", "RTP packets that came from a listener, discarded unread")
TALKERS = Gauge("livemon_talkers", "Browsers whose microphone is connected")
MICROPHONE_PACKETS = Counter("livemon_talk_packets", "A supervisor's packets sent to a runtime")
MICROPHONE_HELD_BACK = Counter("livemon_talk_packets_held_back", "Microphone packets of a claim that has no call (yet)")
MICROPHONE_BAD = Counter("livemon_talk_packets_bad", "What came from a microphone and was no packet of Opus")
SUPERVISOR_REFUSED = Counter(
    "livemon_listen_supervisor_refused", "A supervisor's packets that listeners did not get", ["reason"]
)
MICROPHONE_LOST = Counter("livemon_talk_packets_lost", "A supervisor's packets that were not sent", ["reason"])
