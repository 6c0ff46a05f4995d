"""Supervisors' packets on their way to Redis: in order, bounded for each, and none keeps another waiting."""

import asyncio
import time

import pytest
from prometheus_client import REGISTRY
from redis.asyncio import Redis

from livemon.media import supervisor_publisher
from livemon.media.supervisor_publisher import A_TURN, LATE_S, MOST_WAITING, SupervisorPublisher
from tests.media.call_source import running


def lost(reason: str) -> float:
    return REGISTRY.get_sample_value("livemon_talk_packets_lost_total", {"reason": reason}) or 0


@pytest.fixture
def publisher(valkey: Redis) -> SupervisorPublisher:
    return SupervisorPublisher(valkey)


def batches(publisher: SupervisorPublisher) -> list[tuple[str, bytes]]:
    sent: list[tuple[str, bytes]] = []
    while batch := publisher._batch():
        sent += batch
    return sent


def test_each_channel_keeps_its_order_and_a_flood_waits_its_turn(publisher: SupervisorPublisher):
    for n in range(MOST_WAITING):
        publisher.say("flood", b"%d" % n)
    publisher.say("other", b"hello")
    sent = batches(publisher)
    assert sent.index(("other", b"hello")) <= A_TURN
    assert [packet for channel, packet in sent if channel == "flood"] == [b"%d" % n for n in range(MOST_WAITING)]


def test_of_too_many_the_oldest_go_and_nobody_elses(publisher: SupervisorPublisher):
    before = lost("queue_full")
    publisher.say("other", b"hello")
    for n in range(MOST_WAITING + 30):
        publisher.say("flood", b"%d" % n)
    sent = batches(publisher)
    assert ("other", b"hello") in sent
    assert [packet for channel, packet in sent if channel == "flood"] == [
        b"%d" % n for n in range(30, MOST_WAITING + 30)
    ]
    assert lost("queue_full") == before + 30


def test_what_is_late_is_not_sent(publisher: SupervisorPublisher, monkeypatch: pytest.MonkeyPatch):
    before = lost("late")
    publisher.say("mine", b"old")
    later = time.monotonic() + LATE_S + 1
    monkeypatch.setattr(supervisor_publisher.time, "monotonic", lambda: later)
    publisher.say("mine", b"new")
    assert batches(publisher) == [("mine", b"new")]
    assert lost("late") == before + 1


def test_what_is_forgotten_is_not_sent(publisher: SupervisorPublisher):
    publisher.say("mine", b"old")
    publisher.say("other", b"hello")
    publisher.forget("mine")
    publisher.forget("nobody's")
    assert batches(publisher) == [("other", b"hello")]


async def test_what_is_said_is_heard_in_order(publisher: SupervisorPublisher, valkey: Redis):
    async with valkey.pubsub() as listener, running(publisher.run()):
        await listener.ssubscribe("mine")
        await listener.get_message(timeout=5)
        for n in range(60):
            publisher.say("mine", b"%d" % n)
        heard: list[bytes] = []
        async with asyncio.timeout(60):
            while len(heard) < 60:
                message = await listener.get_message(ignore_subscribe_messages=True, timeout=5)
                if message:
                    heard.append(message["data"])
    assert heard == [b"%d" % n for n in range(60)]
