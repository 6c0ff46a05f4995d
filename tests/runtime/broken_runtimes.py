"""Ways to break one rule of the protocol each, and the groups of rules by which that is to be noticed."""

import asyncio
import json
import secrets
import struct
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis as blocking
from redis.asyncio import Redis

from livemon_runtime.scripts import Command
from tests.runtime.conform_bot import (
    Bot,
    Break,
    answering,
    argument,
    call_data,
    entries,
    is_script,
    lua,
    packets,
    sending,
)


@dataclass(frozen=True)
class Case:
    rule: str
    groups: tuple[str, ...]
    broken: Break


NOTHING: Command = ("PING",)


def each(rule: str, groups: str, broken: Break) -> Case:
    return Case(rule, tuple(groups.split()), broken)


# --- announcing


def set_value(bot: Bot) -> None:
    def rewrite(command: Command) -> Command | None:
        return (*command[:2], '{"name":"bot","version":""}', *command[3:]) if command[0] == "SET" else None

    sending(rewrite)(bot)


def set_once(bot: Bot) -> None:
    said: list[Command] = []

    def rewrite(command: Command) -> Command | None:
        if command[0] == "SET":
            said.append(command)
        return NOTHING if command[0] == "SET" and len(said) > 1 else None

    sending(rewrite)(bot)


def longer_life(command: Command) -> Command | None:
    return (*command[:-1], 60) if command[0] == "SET" else None


def no_expiry(bot: Bot) -> None:
    lua("announce", "redis.call('EXPIRE', members, HOUR)", "redis.call('PERSIST', members)")(bot)
    sending(lambda command: NOTHING if command[0] == "EXPIRE" else None)(bot)


def strange_id(bot: Bot) -> None:
    bot.runtime.runtime_id = "front desk"


def start_plus_one(start: Any) -> Any:
    return int(start) + 1


GENERATION = "'generation', string.format('%.0f', math.max(tonumber(generation), tonumber(stored[4]) or 0)),"

# --- transcript


def partials(change: Any) -> Break:
    def rewrite(command: Command) -> Command | None:
        if command[0] != "SPUBLISH" or not str(command[1]).endswith(":partials"):
            return None
        entry = json.loads(command[2])
        change(entry)
        return (*command[:2], json.dumps(entry))

    return sending(rewrite)


def chatter(bot: Bot) -> None:
    """Each partial is said forty times."""
    for connection in bot.runtime._connections:
        run = connection.run

        async def other(commands: Sequence[Command], *, wait: float = 0.0, run: Any = run) -> list[Any]:
            answers = await run(commands, wait=wait)
            said = [one for one in commands if one[0] == "SPUBLISH" and str(one[1]).endswith(":partials")]
            if said:
                await run(said * 39, wait=wait)
            return answers

        connection.run = other


# --- audio


def always_tapped(bot: Bot) -> None:
    forever = bot.runtime.keys.tap("forever")
    blocking.Redis.from_url(bot.url).zadd(forever, {"node": 2**52})
    sending(lambda command: (command[0], forever, *command[2:]) if command[0] == "ZREVRANGE" else None)(bot)


def blind_heartbeat(bot: Bot) -> None:
    """The taps are looked at when a command says so, and never else."""
    for connection in bot.runtime._connections:
        run = connection.run

        async def other(commands: Sequence[Command], *, wait: float = 0.0, run: Any = run) -> list[Any]:
            beat = any(command[0] == "HMGET" for command in commands)
            nowhere = [("ZREVRANGE", "nowhere", 0, 0) if beat and one[0] == "ZREVRANGE" else one for one in commands]
            return await run(nowhere, wait=wait)

        connection.run = other


async def any_tap(_: Bot, command: Command, answer: Any) -> Any:
    return [answer[0], b"9e15"] if command[0] == "ZREVRANGE" and answer else answer


def silent_about(kind: str) -> Break:
    """Says no result of commands of this kind."""
    ids: set[str] = set()

    async def read(_: Bot, command: Command, answer: Any) -> Any:
        for one in _commands(command, answer):
            if one["type"] == kind:
                ids.add(one["command_id"])
        return answer

    def rewrite(command: Command) -> Command | None:
        known = is_script("result", command) and json.loads(command[-1])["command_id"] in ids
        return ("EVAL", "return {'ok', 0}", 0) if known else None

    def broken(bot: Bot) -> None:
        answering(read)(bot)
        sending(rewrite)(bot)

    return broken


def _commands(command: Command, answer: Any) -> list[dict[str, Any]]:
    if command[0] != "XREAD" or not answer:
        return []
    return [json.loads(fields[1]) for _, fields in answer[0][1]]


def field(form: str, at: int, change: Any) -> Break:
    """One field of each packet's header."""

    def edit(number: int, packet: bytes) -> list[bytes]:
        made = bytearray(packet)
        struct.pack_into(form, made, at, change(number, *struct.unpack_from(form, packet, at)))
        return [bytes(made)]

    return packets(edit)


def header(number: int, timestamp: int, packet: bytes, payload: bytes) -> bytes:
    return struct.pack("!BBHII", 0x80, packet[1], number & 0xFFFF, timestamp & 0xFFFFFFFF, 7) + payload


def paired(number: int, packet: bytes) -> list[bytes]:
    """Forty milliseconds in every second packet."""
    return [header(number // 2, number * 160, packet, packet[12:] * 2)] if number % 2 == 0 else []


def twice(number: int, packet: bytes) -> list[bytes]:
    return [header(2 * number + n, (2 * number + n) * 160, packet, packet[12:]) for n in (0, 1)]


# --- commands and take-over


async def late_is_in_time(_: Bot, command: Command, answer: Any) -> Any:
    if command[0] != "XREAD" or not answer:
        return answer
    name, found = answer[0]
    later = [(at, [key, _later(data)]) for at, (key, data) in found]
    return [(name, later)]


def _later(data: bytes) -> bytes:
    command = json.loads(data)
    return json.dumps({**command, "deadline": command["deadline"] + 60_000}).encode()


class Forgetful(OrderedDict[str, Any]):
    def __contains__(self, key: object) -> bool:
        return False


def forgetful(bot: Bot) -> None:
    bot.runtime._commands._done = Forgetful()


def enters_no_hint(bot: Bot) -> None:
    def made(call: Any) -> None:
        call.injected = lambda *_: None

    bot.made = made


def obeys_what_it_does_not_offer(bot: Bot) -> None:
    bot.capabilities = ["listen", "take_over", "end"]


def accepts_what_was_withdrawn(bot: Bot) -> None:
    made = "{claim_id = claim_id, user_id = 'conform', name = 'x', generation = 1, deadline = now_ms() + 1000}"
    old = "local stands = claim and claim.claim_id == claim_id"
    lua("accept", old, f"claim = claim or {made}\nlocal stands = true")(bot)


def accepts_late(bot: Bot) -> None:
    lua("accept", "now <= tonumber(claim.deadline)", "true")(bot)
    answering(late_is_in_time)(bot)


def eager(bot: Bot) -> None:
    """Joins a claim's channel before it is accepted."""
    client = Redis.from_url(bot.url)
    ears, heard = client.pubsub(), list[str]()

    async def read(bot: Bot, command: Command, answer: Any) -> Any:
        for one in _commands(command, answer):
            if one["type"] == "take_over":
                if heard:
                    await ears.sunsubscribe(heard.pop())
                heard.append(bot.runtime.keys.supervisor(one["call_id"], one["claim_id"]))
                await ears.ssubscribe(heard[-1])
                await asyncio.sleep(0.1)
        return answer

    answering(read)(bot)


def no_word(about: str) -> Break:
    """Never says that its supervisor is `lost`, or `back`."""
    same = "return {'ok', tonumber(redis.call('HGET', KEYS[1], 'rev')), redis.call('HGET', KEYS[1], 'controller')}"

    def rewrite(command: Command) -> Command | None:
        if not is_script("supervisor", command) or (command[-1] == "") is not (about == "back"):
            return None
        return ("EVAL", same, *command[2:])

    return sending(rewrite)


def talks_on(bot: Bot) -> None:
    bot.obeys_silence = False


def refuses_nobody(bot: Bot) -> None:
    bot.refuses = False


def keeps_the_caller(bot: Bot) -> None:
    bot.hands_over_the_caller = lambda call: not call.agent_silent or call.voices.agent_on


def stays(bot: Bot) -> None:
    bot.runtime.supervisor_audio.leave = lambda channel: None


# --- emptied


def after_resuming(rewrite: Any) -> Break:
    """What is sent after Redis was emptied becomes what `rewrite` makes of it, that announcement included."""
    seen: list[bool] = []

    def other(command: Command) -> Command | None:
        if is_script("announce", command) and command[-3] == 1:
            seen.append(True)
        return rewrite(command) if seen else None

    return sending(other)


def garbled(command: Command) -> Command | None:
    if not is_script("append", command):
        return None
    return (*command[:7], *(json.dumps({**json.loads(one), "content": "…"}) for one in command[7:]))


def second_end_fails(bot: Bot) -> None:
    ended: list[str] = []

    def edit(data: Any) -> Any:
        result = json.loads(data)
        if not result["command_id"].startswith("conform-") or not result["ok"]:
            return data
        ended.append(result["command_id"])
        if len(ended) == 1:
            return data
        return json.dumps({**result, "ok": False, "error": {"code": "already_ended", "message": ""}})

    argument("result", 2, edit)(bot)


def put(name: str, value: Any) -> Any:
    return lambda thing: thing.__setitem__(name, value)


def reason(old: str, new: str) -> Break:
    return call_data(lambda call: call.get("disconnection_reason") == old and put("disconnection_reason", new)(call))


CASES = [
    each("runtime.id", "announcing", strange_id),
    each("runtime.key", "announcing", set_value),
    each("runtime.expiry", "announcing", sending(longer_life)),
    each("runtime.renewed", "announcing", set_once),
    each("runtime.calls", "announcing", sending(lambda c: ("SMEMBERS", "none") if c[0] == "SMEMBERS" else None)),
    each("runtime.calls_expiry", "announcing", no_expiry),
    each("call.hash", "announcing", lua("announce", GENERATION, "")),
    each("call.fields", "announcing", call_data(put("call_type", "telephone"))),
    each("call.capabilities", "announcing", call_data(put("capabilities", ["listen", "fly"]))),
    each("call.audio", "announcing", call_data(lambda call: call.pop("audio", None))),
    each("call.index", "announcing", argument("announce", 5, start_plus_one)),
    each("call.kept", "announcing", lua("announce", "redis.call('PERSIST', call)", "redis.call('EXPIRE', call, HOUR)")),
    each("call.event", "announcing", lua("announce", "'call_started'", "'call_updated'")),
    each("transcript.ids", "transcript", lua("append", "'%.0f-0'", "'%.0f-1'")),
    each("transcript.entries", "transcript", entries(put("time_ms", -1))),
    each("transcript.final", "transcript", entries(put("final", False))),
    each("partials.entries", "transcript", partials(put("id", "another"))),
    each("partials.rate", "transcript", chatter),
    each("tap.quiet", "audio", always_tapped),
    each("tap.heartbeat", "audio", blind_heartbeat),
    each("tap.off", "audio", answering(any_tap)),
    each("tap.command", "audio", silent_about("tap")),
    each("rtp.packet", "audio", packets(lambda _, packet: [packet[:5]])),
    each("rtp.payload_type", "audio", field("!B", 1, lambda _, byte: byte & 0x80 | 8)),
    each("rtp.ssrc", "audio", field("!I", 8, lambda *_: secrets.randbits(32))),
    each("rtp.sequence", "audio", field("!H", 2, lambda n, _: 2 * n & 0xFFFF)),
    each("rtp.timestamp", "audio", field("!I", 4, lambda n, _: 200 * n & 0xFFFFFFFF)),
    each("rtp.duration", "audio", packets(paired)),
    each("rtp.pace", "audio", packets(twice)),
    each("command.not_found", "commands", argument("result", 2, lambda data: data.replace("not_found", "failed"))),
    each("command.deadline", "commands", answering(late_is_in_time)),
    each("command.repeated", "commands", forgetful),
    each("inject", "commands", enters_no_hint),
    each("command.unsupported", "commands", obeys_what_it_does_not_offer),
    each("claim.withdrawn", "take-over", accepts_what_was_withdrawn),
    each("claim.late", "take-over", accepts_late),
    each("claim.refused", "take-over", refuses_nobody),
    each("claim.refused", "take-over", lua("refuse", "redis.call('HSET', call, 'claim', '')", "")),
    each("accept", "take-over", call_data(put("call_status", "ongoing"))),
    each("accept.again", "take-over", lua("accept", "if controller and controller.claim_id == claim_id then", "if false then")),
    each("claim.channel", "take-over", eager),
    each("agent.silent", "take-over", talks_on),
    each("caller.always", "take-over", keeps_the_caller),
    each("supervisor.heard", "take-over", no_word("back")),
    each("supervisor.lost", "take-over", no_word("lost")),
    each("accept.next", "take-over", stays),
    each("supervisor.gone", "take-over grace", reason("supervisor_lost", "agent_hangup")),
    each("end", "ending", reason("manual_stopped", "user_hangup")),
    each("end.index", "ending", lua("end", "redis.call('ZREM', calls, call_id)", "")),
    each("end.expiry", "ending", lua("end", "redis.call('EXPIRE', key, HOUR)", "redis.call('PERSIST', key)")),
    each("end.again", "ending", second_end_fails),
    each("events.rev", "transcript events", lua("update", "HINCRBY', call, 'rev', 1", "HINCRBY', call, 'rev', 2")),
    each("events.fields", "transcript events", lua("update", "'call_updated'", "'call_changed'")),
    each("emptied.call", "emptied", argument("announce", 6, lambda _: 0)),
    each("emptied.runtime", "emptied", after_resuming(lambda one: NOTHING if one[0] == "SET" else None)),
    each("emptied.controller", "emptied", after_resuming(
        lambda one: (*one[:-2], 0, one[-1]) if is_script("announce", one) else None
    )),
    each("emptied.transcript", "emptied", after_resuming(garbled)),
]  # fmt: skip
