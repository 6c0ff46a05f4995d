"""Reads a listener's, or a supervisor's, SDP offer (RFC 8866, RFC 9429) and decides whether it may be answered. Pure; no I/O.

An offer that could carry a microphone is refused here, whatever the page says. The browser's ICE candidates are taken
out: livemon answers connectivity checks and learns the address they come from, as an ICE-lite agent would. So an offer
cannot aim our checks at other hosts, and no mDNS name has to be resolved (1 s in aioice).
"""

from dataclasses import dataclass

from aiortc.sdp import MediaDescription, SessionDescription

from livemon_runtime.codecs import Codec

from .errors import BadOffer, MicrophoneRefused

MAX_OFFER = 64_000
"""Characters; a browser's offer of three audio sections has about 6,000."""

MAX_MID = 16
"""Characters of a section's name, which stands in every packet; browsers use one digit."""

_DIRECTIONS = {"sendrecv", "sendonly", "recvonly", "inactive"}
_SENDING = {"sendrecv", "sendonly"}
_UNUSED = ("a=candidate:", "a=end-of-candidates")


@dataclass(frozen=True, slots=True)
class Offer:
    """An acceptable offer: `sdp` without candidates, and for each audio section the codecs (`opus/48000`) it plays."""

    sdp: str
    plays: tuple[frozenset[str], ...]

    def can_play(self, section: int, mime: str) -> bool:
        return mime in self.plays[section]


def read_offer(text: str, *sections: int) -> Offer:
    """Read an offer of so many audio sections, as one of `sections`, that only receive.

    Raises `MicrophoneRefused` if one of them could send, `BadOffer` for everything else that cannot be answered.
    """
    lines = _lines(text)
    sdp = "\r\n".join(lines) + "\r\n"
    parsed = _parse(sdp)
    _refuse_microphone(lines, parsed)
    if len(parsed.media) not in sections or any(media.kind != "audio" for media in parsed.media):
        raise BadOffer(f"it needs {' or '.join(map(str, sections))} audio sections and nothing else")
    for media in parsed.media:
        _check_section(media, "recvonly", "does not receive")
    _check_bundle(parsed)
    return Offer(sdp, tuple(_codecs(media) for media in parsed.media))


def read_talk_offer(text: str) -> Offer:
    """Read an offer of one audio section that sends a microphone and receives. Raises `BadOffer`."""
    lines = _lines(text)
    sdp = "\r\n".join(lines) + "\r\n"
    parsed = _parse(sdp)
    if [media.kind for media in parsed.media] != ["audio"]:
        raise BadOffer("it needs one audio section and nothing else")
    _check_section(parsed.media[0], "sendrecv", "does not both send and receive")
    _check_bundle(parsed)
    return Offer(sdp, (_codecs(parsed.media[0]),))


def codec_name(codec: Codec) -> str:
    """The codec that a browser gets for a voice, as `Offer.plays` names it: Opus stands for all kinds of L16."""
    return {Codec.PCMU: "pcmu/8000", Codec.PCMA: "pcma/8000"}.get(codec, "opus/48000")


def _lines(text: str) -> list[str]:
    if len(text) > MAX_OFFER:
        raise BadOffer(f"{len(text)} characters, at most {MAX_OFFER}")
    return [line for line in text.splitlines() if line and not line.startswith(_UNUSED)]


def _parse(sdp: str) -> SessionDescription:
    if not sdp.startswith("v=0"):
        raise BadOffer("it is not SDP")
    try:
        return SessionDescription.parse(sdp)
    except Exception as error:
        # aiortc's parser answers bad input with whatever exception its code runs into
        raise BadOffer("it is not well-formed SDP") from error


def _refuse_microphone(lines: list[str], parsed: SessionDescription) -> None:
    """RFC 8866, section 6.7: without a direction a section is sendrecv; one at session level is the default.

    Where a section names several, readers disagree which one counts; so one that sends is enough.
    """
    if any(media.msid or any(source.msid for source in media.ssrc) for media in parsed.media if media.kind == "audio"):
        raise MicrophoneRefused
    said: list[tuple[str, list[str]]] = [("session", [])]  # of each section its kind, and every direction that it names
    for line in lines:
        if line.startswith("m="):
            said.append((line[2:].split(" ", 1)[0], []))
        elif line.startswith("a=") and line[2:] in _DIRECTIONS:
            said[-1][1].append(line[2:])
    default = said[0][1] or ["sendrecv"]
    if any(kind == "audio" and _SENDING & set(directions or default) for kind, directions in said[1:]):
        raise MicrophoneRefused


def _check_section(media: MediaDescription, direction: str, otherwise: str) -> None:
    if media.direction != direction:
        raise BadOffer(f"an audio section {otherwise}")
    if media.port == 0 or media.profile != "UDP/TLS/RTP/SAVPF":
        raise BadOffer("an audio section is off, or not secured by DTLS")
    if not media.rtcp_mux or not media.rtp.muxId:
        raise BadOffer("an audio section lacks a=rtcp-mux or a=mid")
    if len(media.rtp.muxId) > MAX_MID:
        raise BadOffer(f"an a=mid is longer than {MAX_MID} characters")
    if not (media.ice and media.ice.usernameFragment and media.ice.password):
        raise BadOffer("the ICE credentials are missing")
    if len(media.ice.usernameFragment) > 256 or len(media.ice.password) > 256:
        raise BadOffer("the ICE credentials are longer than RFC 8839 allows")
    if media.dtls is None or not media.dtls.fingerprints or media.dtls.role not in ("auto", "client", "server"):
        raise BadOffer("the DTLS fingerprint is missing")


def _check_bundle(parsed: SessionDescription) -> None:
    mids = [media.rtp.muxId for media in parsed.media]
    if len(set(mids)) != len(mids):
        raise BadOffer("two sections have the same a=mid")
    if not any(group.semantic == "BUNDLE" and set(mids) <= set(group.items) for group in parsed.group):
        raise BadOffer("its sections are not bundled")


def _codecs(media: MediaDescription) -> frozenset[str]:
    return frozenset(f"{codec.mimeType.split('/')[1].lower()}/{codec.clockRate}" for codec in media.rtp.codecs)
