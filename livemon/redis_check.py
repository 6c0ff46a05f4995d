"""Whether a Redis or Valkey is fit for livemon: its version, and the settings by which it keeps or loses data.

Read at livemon's start, which warns, and by `livemon doctor`, which says what to do.
"""

from collections.abc import Mapping
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from livemon.finding import Finding, Grade

_OLDEST_REDIS, _OLDEST_VALKEY = 7, 8


async def check_redis(redis: Redis) -> list[Finding]:
    """Look at the server's version and settings. Raises `RedisError` or `OSError` if it cannot be reached at all."""
    info = cast("Mapping[str, object]", await redis.info())  # pyright: ignore[reportUnknownMemberType]
    findings = [_version(info)]
    if info.get("redis_mode") == "cluster":
        findings.append(
            Finding(
                Grade.WARNING,
                "It is a cluster, with which this version has not been tried",
                "Use a single server, with a replica if you need one.",
            )
        )
    try:
        settings = await _settings(redis)
    except RedisError as error:
        findings.append(
            Finding(
                Grade.WARNING,
                f"Its settings may not be read ({error})",
                "See by yourself that maxmemory-policy is noeviction, and appendonly yes with appendfsync everysec.",
            )
        )
        return findings
    return [*findings, _eviction(settings), _persistence(settings)]


def _version(info: Mapping[str, object]) -> Finding:
    valkey = info.get("valkey_version")
    name, version, oldest = (
        ("Valkey", str(valkey), _OLDEST_VALKEY)
        if valkey
        else ("Redis", str(info.get("redis_version", "0")), _OLDEST_REDIS)
    )
    if _major(version) >= oldest:
        return Finding(Grade.OK, f"{name} {version} answers")
    return Finding(
        Grade.PROBLEM,
        f"{name} {version} is too old: it has no sharded pub/sub as livemon needs it",
        "Use Redis 7 or Valkey 8, or newer; or unset LIVEMON_REDIS_URL and let livemon bring its own.",
    )


def _major(version: str) -> int:
    first = version.split(".", 1)[0]
    return int(first) if first.isdigit() else 0


async def _settings(redis: Redis) -> dict[str, str]:
    names = ("maxmemory", "maxmemory-policy", "appendonly", "appendfsync")
    return cast("dict[str, str]", await redis.config_get(*names))  # pyright: ignore[reportUnknownMemberType]


def _eviction(settings: Mapping[str, str]) -> Finding:
    policy = settings.get("maxmemory-policy", "noeviction")
    if policy == "noeviction":
        return Finding(Grade.OK, "It evicts nothing")
    limited = settings.get("maxmemory", "0") != "0"
    return Finding(
        Grade.PROBLEM if limited else Grade.WARNING,
        f"maxmemory-policy is {policy}: when memory is short, live calls and transcripts disappear in silence",
        "CONFIG SET maxmemory-policy noeviction, and the same in its configuration file.",
    )


def _persistence(settings: Mapping[str, str]) -> Finding:
    if settings.get("appendonly") != "yes":
        return Finding(
            Grade.WARNING,
            "appendonly is off: a crash loses what Redis holds of live calls until their runtimes have sent it again",
            "CONFIG SET appendonly yes, and the same in its configuration file.",
        )
    fsync = settings.get("appendfsync", "everysec")
    if fsync == "always":
        return Finding(
            Grade.WARNING,
            "appendfsync is always: a slow disk then delays the audio of every listener",
            "CONFIG SET appendfsync everysec; the runtimes bring a lost second back by themselves.",
        )
    return Finding(Grade.OK, f"It keeps what it has on disk (appendfsync {fsync})")
