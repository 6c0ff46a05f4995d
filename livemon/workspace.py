"""One workspace's live part on this node: the calls, their feeds, who listens, and the commands.

It holds no truth (that is in the runtimes, shared through Redis) and knows neither HTTP nor screens. The Node owns one for
each workspace and runs `run()` in its own TaskGroup; everything here may be used from the event loop at any time, also
before Redis has answered: the feeds then say that they are stale.
"""

import asyncio

from redis.asyncio import Redis

from livemon.calls.alerts import Alerts
from livemon.calls.feed import CallFeed, FeedTiming
from livemon.calls.list_feed import ListFeed
from livemon.calls.presence import Presence
from livemon.calls.runtime_feed import RuntimeFeed
from livemon.calls.transcript_feed import Transcripts
from livemon.control.commands import Control
from livemon.control.take_overs import GRACE_MS, TakeOvers
from livemon.media.listening import Listening
from livemon.media.microphone import Talking
from livemon.supervision import keep_running
from livemon_runtime.keys import Keys


class Workspace:
    """The live part of the workspace `slug`.

    `redis` is made by `livemon.redis_client.connect` (it must not repeat writes, and its socket timeout must be longer
    than a blocking read); whoever made it closes it. `node_id` names this process among the nodes on one Redis.
    `grace_ms`: how long a taken-over caller hears nobody before the call ends.
    """

    def __init__(
        self, slug: str, redis: Redis, node_id: str, *, timing: FeedTiming | None = None, grace_ms: int = GRACE_MS
    ) -> None:
        self.slug = slug
        self.node_id = node_id
        self.redis = redis
        self.keys = Keys(slug)
        self.calls = CallFeed(redis, self.keys, timing=timing)
        self.presence = Presence(redis, self.keys, node_id, now=self.calls.now)
        self.list_feed = ListFeed(self.calls, self.presence)
        self.alerts = Alerts(self.calls)
        self.runtimes = RuntimeFeed(redis, self.keys, self.calls)
        self.transcripts = Transcripts(redis, self.keys, self.calls, self.presence)
        self.control = Control(redis, self.keys, self.calls)
        self.listening = Listening(redis, self.keys, node_id, self.calls, self.presence)
        self.talking = Talking(redis, self.keys, self.calls, self.listening)
        self.take_overs = TakeOvers(redis, self.keys, self.calls, grace_ms=grace_ms)

    async def run(self) -> None:
        """Follow Redis until cancelled; an outage of Redis does not end it, and a part that fails ends no other."""
        parts = {
            "calls": self.calls.run,
            "presence": self.presence.run,
            "list": self.list_feed.run,
            "alerts": self.alerts.run,
            "runtimes": self.runtimes.run,
            "transcripts": self.transcripts.run,
            "listening": self.listening.run,
            "talking": self.talking.run,
            "take_overs": self.take_overs.run,
        }
        async with asyncio.TaskGroup() as tasks:
            for part, run in parts.items():
                name = f"{part}:{self.slug}"
                tasks.create_task(keep_running(name, run), name=name)
