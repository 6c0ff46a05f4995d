"""The rendered speech: there for every line, in both voices of telephone quality, neither silent nor clipped."""

from importlib.resources import files

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from livemon.demo.scenario import load_script
from livemon.demo.speech import PACKET_MS, Speech, decoded, load_speech, opus_packets, read_file, read_index
from livemon_runtime import Codec

SCRIPT = load_script()
INDEX = read_index()
RATE = 16_000
G711 = {Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}


@pytest.fixture(scope="module")
def speech() -> Speech:
    return load_speech(SCRIPT)


def rms(samples: NDArray[np.int16]) -> float:
    return float(np.sqrt(np.mean(np.square(samples.astype(np.float64) / 32768))))


def pitch(samples: NDArray[np.int16]) -> float:
    """Median fundamental frequency in Hz of the voiced pieces of 80 ms, by autocorrelation."""
    size = RATE * 80 // 1000
    found: list[float] = []
    for at in range(0, len(samples) - size, size):
        piece = samples[at : at + size].astype(np.float64)
        likeness = np.correlate(piece, piece, "full")[size - 1 :]
        low, high = RATE // 350, RATE // 60
        best = low + int(likeness[low:high].argmax())
        if rms(samples[at : at + size]) > 0.03 and likeness[best] > 0.5 * likeness[0]:
            found.append(RATE / best)
    return float(np.median(found))


def test_every_line_of_the_scenarios_has_its_speech() -> None:
    """A line that was changed and not rendered again fails here."""
    assert {(entry["voice"], entry["text"]) for entry in INDEX} == set(SCRIPT.codecs_by_line)


def test_no_file_is_left_over_from_lines_of_the_past() -> None:
    folder = files("livemon.demo").joinpath("speech")
    stored = {f"{voice.name}/{file.name}" for voice in folder.iterdir() if voice.is_dir() for file in voice.iterdir()}
    assert stored == {entry["file"] for entry in INDEX}


def test_the_speech_is_small_enough_to_be_committed() -> None:
    assert sum(len(read_file(entry["file"])) for entry in INDEX) < 400_000


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_a_line_is_loud_enough_and_never_clipped(entry: dict[str, object]) -> None:
    samples = decoded(read_file(str(entry["file"])), RATE)
    peak = np.abs(samples.astype(np.int32)).max() / 32768
    assert 0.04 < rms(samples) < 0.16
    assert 0.2 < peak < 0.99
    assert entry["ms"] == pytest.approx(len(samples) * 1000 / RATE, abs=2 * PACKET_MS)


@pytest.mark.parametrize("entry", INDEX, ids=lambda entry: entry["file"])
def test_each_word_has_a_beginning_within_its_line(entry: dict[str, object]) -> None:
    starts, words = entry["starts"], str(entry["text"]).split()
    assert isinstance(starts, list)
    assert len(starts) == len(words)
    assert starts == sorted(starts)
    assert starts[0] == 0
    assert starts[-1] < entry["ms"]


def test_a_listener_can_tell_the_two_voices_of_a_call_apart() -> None:
    """Their pitches differ by a fifth of the lower one or more."""
    pitches = {
        voice: float(np.median([pitch(decoded(read_file(e["file"]), RATE)) for e in INDEX if e["voice"] == voice]))
        for voice in ("ada", "theo", "rosa", "sam", "vic")
    }
    for call in SCRIPT.scenarios:
        low, high = sorted((pitches[call.agent.voice], pitches[call.caller.voice]))
        assert high / low > 1.2, call.name


def test_opus_packets_are_20_ms_and_mono(speech: Speech) -> None:
    """RFC 6716, section 3.1: the configuration's size, the stereo bit, one frame a packet."""
    for line, codecs in SCRIPT.codecs_by_line.items():
        for packet in speech[line].packets[Codec.OPUS] if Codec.OPUS in codecs else ():
            config, stereo, code = packet[0] >> 3, packet[0] >> 2 & 1, packet[0] & 3
            assert (config in (1, 5, 9), stereo, code) == (True, 0, 0)


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA, Codec.L16_16000])
def test_what_is_transcoded_is_the_same_speech(speech: Speech, codec: Codec) -> None:
    """Each packet is 20 ms, and together they are as long and as loud as the Opus that they come from."""
    lines = [line for line, codecs in SCRIPT.codecs_by_line.items() if codec in codecs]
    assert lines
    for line in lines:
        packets = speech[line].packets[codec]
        size = codec.form.packet_ticks * (1 if codec in G711 else 2)
        assert {len(packet) for packet in packets} == {size}
        entry = next(e for e in INDEX if (e["voice"], e["text"]) == line)
        original = decoded(read_file(entry["file"]), codec.form.clock)
        assert abs(len(packets) * PACKET_MS - len(original) * 1000 / codec.form.clock) < PACKET_MS
        assert rms(pcm(packets, codec)) == pytest.approx(rms(original), rel=0.1)


def test_all_packets_of_an_ogg_file_are_read() -> None:
    entry = INDEX[0]
    packets = opus_packets(read_file(entry["file"]))
    assert abs(len(packets) * PACKET_MS - entry["ms"]) <= 2 * PACKET_MS


def pcm(packets: tuple[bytes, ...], codec: Codec) -> NDArray[np.int16]:
    data = b"".join(packets)
    if codec not in G711:
        return np.frombuffer(data, "<i2")
    decoder = av.CodecContext.create(G711[codec], "r")
    decoder.sample_rate, decoder.layout = codec.form.clock, "mono"  # type: ignore[attr-defined]
    frames = decoder.decode(av.Packet(data))
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
