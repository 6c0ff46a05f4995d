"""The demo's process against a real Valkey, seen from livemon's end of the protocol."""

import asyncio
import os
import signal
import struct
import sys
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import av
import numpy as np
import pytest
import redis.asyncio
from numpy.typing import NDArray

from livemon.control.claim_scripts import Asking, ClaimScripts
from livemon_runtime import Codec
from livemon_runtime.rtp import RtpPacket
from tests.conftest import ValkeyProcess
from tests.demo.demo_process import KEYS, Heard, Watcher, demo, listen

DECODERS = {Codec.OPUS: "libopus", Codec.PCMU: "pcm_mulaw", Codec.PCMA: "pcm_alaw"}


async def call_with(watcher: Watcher, codec: Codec) -> str:
    """A call with that codec, once there is one that has just begun."""

    async def young() -> list[str]:
        return [call["call_id"] for call in reversed(await watcher.calls()) if call["audio"]["agent"] == codec]

    return (await watcher.until(young))[0]


def decoded(heard: Iterable[Heard], codec: Codec) -> NDArray[np.float64]:
    """The packets' sound, mono, full scale 1."""
    payloads = [each.packet.payload for each in heard]
    if codec is Codec.L16_16000:
        return np.frombuffer(b"".join(payloads), ">i2") / 32768
    decoder = av.CodecContext.create(DECODERS[codec], "r")
    decoder.sample_rate, decoder.layout = codec.form.clock, "mono"
    frames = [frame for payload in payloads for frame in decoder.decode(av.Packet(payload))]
    return np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames]) / 32768


def lead(heard: list[Heard], codec: Codec) -> float:
    """By how many seconds the voice ever ran ahead of the clock since its first packet."""
    first = heard[0]
    return max(
        ((each.packet.timestamp - first.packet.timestamp) % 2**32) / codec.form.clock - (each.at - first.at)
        for each in heard
    )


async def test_calls_are_there_at_once_and_more_arrive(valkey_url: str, watcher: Watcher) -> None:
    """The list is not empty when it opens, the calls differ in age, and there are soon as many as asked for."""
    async with demo(valkey_url, 8):
        calls = await watcher.until(watcher.calls)

        async def all_there() -> bool:
            return len(await watcher.events("call_started")) >= 8

        await watcher.until(all_there)
        calls = await watcher.calls()
    assert len({call["start_timestamp"] // 1000 for call in calls}) > 3
    assert {call["call_type"] for call in calls} == {"phone_call", "web_call"}
    assert all(call["capabilities"] == ["listen", "take_over", "end", "inject"] for call in calls)


async def test_a_call_that_is_under_way_has_its_past_in_the_transcript(valkey_url: str, watcher: Watcher) -> None:
    """What was said before the demo started stands in the transcript, from the first word and in order."""
    async with demo(valkey_url, 4):
        oldest = (await watcher.until(watcher.calls))[0]["call_id"]
        entries = await watcher.until(lambda: watcher.transcript(oldest))
    assert entries[0]["time_ms"] == 0
    assert len(entries) > 3
    assert sum(entry["role"] in ("agent", "user") for entry in entries) >= 2


async def test_transcripts_grow_word_by_word(valkey_url: str, valkey: redis.asyncio.Redis, watcher: Watcher) -> None:
    """Partials of a turn grow, never shrink, and become its final entry."""
    async with demo(valkey_url, 4), valkey.pubsub() as pubsub:
        call_id = (await watcher.until(watcher.calls))[-1]["call_id"]
        await pubsub.ssubscribe(KEYS.partials(call_id))
        partials = await gather_partials(pubsub, turns=2)
        finished = next(iter(partials))

        async def final() -> list[dict[str, Any]]:
            return [entry for entry in await watcher.transcript(call_id) if entry["id"] == finished]

        (entry,) = await watcher.until(final)
    texts = partials[finished]
    assert len(texts) > 2
    assert all(after.startswith(before) for before, after in pairwise(texts))
    assert entry["final"]
    assert entry["content"].startswith(texts[-1])


async def gather_partials(pubsub: Any, turns: int) -> dict[str, list[str]]:
    """The texts of one turn after the other, until so many have begun."""
    from json import loads

    found: dict[str, list[str]] = {}
    async with asyncio.timeout(60):
        while len(found) <= turns:
            message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=1)
            if message:
                entry = loads(message["data"])
                assert entry["final"] is False
                found.setdefault(entry["id"], []).append(entry["content"])
    return dict(list(found.items())[1:])


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.PCMU, Codec.PCMA, Codec.L16_16000])
async def test_both_voices_are_heard_at_real_time_pace(
    valkey_url: str, valkey: redis.asyncio.Redis, watcher: Watcher, codec: Codec
) -> None:
    """Whoever taps a call gets speech of both voices, no packet ahead of its time, with a marker after each silence."""
    async with demo(valkey_url, 11):
        call_id = await call_with(watcher, codec)
        heard = await listen(valkey, call_id, lambda voices: all(len(voice) >= 60 for voice in voices.values()))
    for voice, packets in heard.items():
        sound = decoded(packets, codec)
        loudness = float(np.sqrt(np.mean(np.square(sound))))
        assert 0.02 < loudness < 0.3, voice
        assert {each.packet.payload_type for each in packets} == {codec.form.payload_type}
        assert lead(packets, codec) < 1.0, voice
        assert packets[0].packet.marker


async def test_nothing_is_published_while_nobody_listens(
    valkey_url: str, valkey: redis.asyncio.Redis, watcher: Watcher
) -> None:
    async with demo(valkey_url, 4), valkey.pubsub() as pubsub:
        calls = await watcher.until(watcher.calls)
        await pubsub.ssubscribe(
            *(KEYS.audio(call["call_id"], voice) for call in calls for voice in ("caller", "agent"))
        )
        before = len(await watcher.transcript(calls[0]["call_id"]))

        async def something_was_said() -> bool:
            return len(await watcher.transcript(calls[0]["call_id"])) >= before + 2

        await watcher.until(something_was_said)
        assert await pubsub.get_message(ignore_subscribe_messages=True, timeout=0.1) is None


async def test_a_supervisor_ends_a_call_and_another_takes_its_place(valkey_url: str, watcher: Watcher) -> None:
    async with demo(valkey_url, 4):

        async def four() -> bool:
            return len(await watcher.calls()) == 4

        await watcher.until(four)
        call_id = (await watcher.calls())[-1]["call_id"]
        assert (await watcher.result(await watcher.command(call_id, "end")))["ok"]

        async def ended() -> list[dict[str, Any]]:
            return [e["call"] for e in await watcher.events("call_ended") if e["call"]["call_id"] == call_id]

        (call,) = await watcher.until(ended)
        assert call["disconnection_reason"] == "manual_stopped"
        said = len(await watcher.transcript(call_id))
        await watcher.until(four)
        assert len(await watcher.transcript(call_id)) == said


async def test_a_supervisors_note_is_entered_and_answered(valkey_url: str, watcher: Watcher) -> None:
    async with demo(valkey_url, 3):
        call_id = (await watcher.until(watcher.calls))[-1]["call_id"]
        command = await watcher.command(call_id, "inject", content="They have a voucher.", trigger_response=True)
        assert (await watcher.result(command))["ok"]

        async def answered() -> bool:
            entries = await watcher.transcript(call_id)
            injected = [n for n, entry in enumerate(entries) if entry["role"] == "injected"]
            return bool(injected) and any(
                "a note that helps us" in e.get("content", "") for e in entries[injected[0] :]
            )

        await watcher.until(answered, timeout=60)


async def test_a_call_that_is_taken_over_is_the_supervisors_and_its_caller_answers_him(
    valkey_url: str, watcher: Watcher
) -> None:
    async with demo(valkey_url, 3):
        call_id = (await watcher.until(watcher.calls))[-1]["call_id"]
        runtime = (await watcher.redis.hget(KEYS.call(call_id), "runtime")).decode()
        asking = Asking(call_id, "u1", "Maya", "claim-1", "command-1", 30_000, 2**52)
        assert (await ClaimScripts(watcher.redis, KEYS).claim(asking, runtime)).status == "claimed"
        await watcher.until(lambda: watcher.redis.hget(KEYS.call(call_id), "controller"))
        before = len(await watcher.transcript(call_id))
        tone, quiet = struct.pack(">80h", *[9_000, -9_000] * 40) * 2, bytes(320)
        channel = KEYS.supervisor(call_id, "claim-1")
        for n, payload in enumerate([tone] * 40 + [quiet] * 60):
            packet = RtpPacket(97, n, n * 160, 1, payload).pack()
            await watcher.redis.execute_command("SPUBLISH", channel, packet)
            await asyncio.sleep(0.02)

        async def answered() -> list[dict[str, Any]]:
            entries = (await watcher.transcript(call_id))[before:]
            return [entry for entry in entries if "a real person" in entry.get("content", "")]

        (answer,) = await watcher.until(answered)
        assert (answer["role"], answer["final"]) == ("user", True)
        entries = await watcher.transcript(call_id)
        later = entries[next(n for n, entry in enumerate(entries) if entry["id"] == answer["id"]) :]
        assert [entry for entry in later if entry["role"] == "agent"] == []
        (call,) = [call for call in await watcher.calls() if call["call_id"] == call_id]
        assert call["call_status"] == "taken_over"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_all_calls(valkey_url: str, watcher: Watcher, number: signal.Signals) -> None:
    """The list is empty, every call has its end, and the process says nothing but log lines."""
    async with demo(valkey_url, 5) as process:
        await watcher.until(watcher.calls)
        process.send_signal(number)
        out, log = await asyncio.wait_for(process.communicate(), 180)
    assert process.returncode == 0
    assert out == b""
    assert all(" livemon.demo: " in line for line in log.decode().splitlines())
    assert await watcher.calls() == []
    started, ended = await watcher.events("call_started"), await watcher.events("call_ended")
    assert {e["call"]["call_id"] for e in started} == {e["call"]["call_id"] for e in ended} != set()


async def test_the_demo_ends_with_whoever_started_it(valkey_url: str, watcher: Watcher) -> None:
    """Killed without a word, its parent leaves no demo behind that fills the list for ever."""
    start = (
        "import subprocess, sys\n"
        f"process = subprocess.Popen([sys.executable, '-m', 'livemon.demo', '--redis', {valkey_url!r}])\n"
        "print(process.pid, flush=True)\n"
        "process.wait()"
    )
    parent = await asyncio.create_subprocess_exec(sys.executable, "-c", start, stdout=asyncio.subprocess.PIPE)
    assert parent.stdout
    pid = int(await parent.stdout.readline())
    try:
        await watcher.until(watcher.calls)
        parent.kill()
        await parent.wait()

        async def none_left() -> bool:
            return not await watcher.calls()

        await watcher.until(none_left)
    finally:
        end_if_there(pid)


def end_if_there(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


async def test_the_calls_outlive_a_redis_that_starts_anew(own_valkey: ValkeyProcess) -> None:
    """The same calls are back with their transcripts, and they go on."""
    client = redis.asyncio.Redis.from_url(own_valkey.url)
    watcher = Watcher(client)
    async with demo(own_valkey.url, 4) as process:
        call_id = (await watcher.until(watcher.calls))[-1]["call_id"]
        before = await watcher.until(lambda: watcher.transcript(call_id))
        await asyncio.to_thread(own_valkey.kill)
        await asyncio.to_thread(own_valkey.start)
        await client.aclose()

        async def grown() -> bool:
            return len(await watcher.transcript(call_id)) > len(before)

        await watcher.until(grown)
        assert (await watcher.transcript(call_id))[: len(before)] == before
        assert process.returncode is None
    await client.aclose()


async def test_a_demo_without_redis_waits_for_it(own_valkey: ValkeyProcess) -> None:
    own_valkey.stop()
    async with demo(own_valkey.url, 3) as process:
        assert process.stderr
        async with asyncio.timeout(60):
            while b"Redis does not answer" not in (line := await process.stderr.readline()):
                assert line, "it has ended"
        await asyncio.to_thread(own_valkey.start)
        client = redis.asyncio.Redis.from_url(own_valkey.url)
        assert await Watcher(client).until(Watcher(client).calls)
        await client.aclose()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--redis", "http://nowhere"], b"the demo cannot start"),
        (["--workspace", "No Slug"], b"workspace"),
        (["--calls", "0"], b"from 1 to 5000"),
    ],
)
async def test_a_bad_argument_is_named(valkey_url: str, arguments: list[str], says: bytes) -> None:
    async with demo(valkey_url, 3, *arguments) as process:
        _, log = await asyncio.wait_for(process.communicate(), 180)
    assert process.returncode == 2
    assert says in log
    assert b"Traceback" not in log
