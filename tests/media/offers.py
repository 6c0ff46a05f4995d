"""An SDP offer to listen as Chromium writes it, and ways to change it."""

SESSION = [
    "v=0",
    "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0 1",
    "a=extmap-allow-mixed",
    "a=msid-semantic: WMS",
]
FINGERPRINT = ":".join(["A1"] * 32)


def section(mid: str, direction: str | None = "recvonly", kind: str = "audio") -> list[str]:
    lines = [
        f"m={kind} 9 UDP/TLS/RTP/SAVPF 111 0 8",
        "c=IN IP4 0.0.0.0",
        "a=rtcp:9 IN IP4 0.0.0.0",
        "a=candidate:1 1 udp 2113937151 4a8e.local 51234 typ host generation 0",
        "a=ice-ufrag:Xy12",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        "a=ice-options:trickle",
        f"a=fingerprint:sha-256 {FINGERPRINT}",
        "a=setup:actpass",
        f"a=mid:{mid}",
        "a=extmap:4 urn:ietf:params:rtp-hdrext:sdes:mid",
        *([f"a={direction}"] if direction else []),
        "a=rtcp-mux",
        "a=rtcp-rsize",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 minptime=10;useinbandfec=1",
        "a=rtpmap:0 PCMU/8000",
        "a=rtpmap:8 PCMA/8000",
    ]
    return lines


def offer(*sections: list[str], session: list[str] | None = None, end: str = "\r\n") -> str:
    """The whole text; two sections that only receive unless said otherwise."""
    lines = [*(session or SESSION), *(line for one in sections or (section("0"), section("1")) for line in one)]
    return end.join(lines) + end
