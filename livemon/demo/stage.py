"""The demo's calls, coming and going: about as many as asked for, all played by one loop that ticks every 20 ms.

Ticks follow the monotonic clock, so that a late one shifts none of those after it.
"""

import asyncio
import heapq
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random
from time import monotonic

from livemon_runtime import Audio, Call, Runtime

from .call_player import CallPlayer
from .conversation import Conversation
from .held_caller import SUPERVISOR_CODEC
from .scenario import Scenario, Script
from .speech import PACKET_MS, Speech

_UNDER_WAY = 0.75
"""Which part of the calls has already begun when the demo starts."""
_RAMP_MS = 12_000
_NEXT_CALL_MS = (500, 5_000)
_TALKATIVE = (0.4, 1.0)


@dataclass(slots=True, eq=False)
class _Playing:
    player: CallPlayer
    began_ms: float


class Stage:
    """Keeps about `calls` calls on `runtime`. The same `random` gives the same calls, but for their IDs."""

    def __init__(
        self,
        runtime: Runtime,
        script: Script,
        speech: Speech,
        calls: int,
        random: Random,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._runtime, self._script, self._speech = runtime, script, speech
        self._calls, self._random, self._clock = calls, random, clock
        self._order = count()
        self._bag: list[Scenario] = []
        self._due: list[tuple[float, int, _Playing]] = []
        self._speaking: set[_Playing] = set()
        self._arrivals: list[float] = []

    async def run(self, stop: asyncio.Event) -> None:
        """Play until `stop` is set; then every call hangs up."""
        zero = self._clock()
        self._open()
        tick = 0
        while not stop.is_set():
            now = (self._clock() - zero) * 1000
            self._step(now)
            tick = max(tick + 1, int(now // PACKET_MS) + 1)
            await asyncio.sleep(max(0.0, zero + tick * PACKET_MS / 1000 - self._clock()))
        for _, _, playing in self._due:
            playing.player.hang_up()

    def _open(self) -> None:
        """Some calls are under way already, the others come one by one."""
        under_way = round(self._calls * _UNDER_WAY)
        for _ in range(under_way):
            self._begin(0.0, past=self._random.uniform(0.0, 0.8))
        for number in range(1, self._calls - under_way + 1):
            self._arrivals.append(number * _RAMP_MS / (self._calls - under_way))
        heapq.heapify(self._arrivals)

    def _step(self, now: float) -> None:
        while self._arrivals and self._arrivals[0] <= now:
            heapq.heappop(self._arrivals)
            self._begin(now)
        while self._due and self._due[0][0] <= now:
            self._advance(heapq.heappop(self._due)[2], now)
        for playing in list(self._speaking):
            playing.player.speak(now - playing.began_ms)
            if not playing.player.speaking:
                self._speaking.discard(playing)

    def _advance(self, playing: _Playing, now: float) -> None:
        next_ms = playing.player.advance(now - playing.began_ms)
        if next_ms is None:
            heapq.heappush(self._arrivals, now + self._random.uniform(*_NEXT_CALL_MS))
            return
        # Looked at every second as well, for a call that a supervisor ended in a long pause.
        due = min(playing.began_ms + next_ms, now + 1_000)
        heapq.heappush(self._due, (due, next(self._order), playing))
        if playing.player.speaking:
            self._speaking.add(playing)

    # --- one more call --------------------------------------------------------------------------------------------

    def _begin(self, now: float, past: float = 0.0) -> None:
        """Begin a call of which the part `past`, 0 to 1, is over already."""
        scenario, seed = self._next_scenario(), self._random.random()
        conversation = self._conversation(scenario, seed)
        past_ms = round(past * self._length_ms(scenario, seed)) if past else 0
        player = CallPlayer(self._announce(scenario, past_ms), conversation, self._script, past_ms)
        self._advance(_Playing(player, now - past_ms), now)

    def _conversation(self, scenario: Scenario, seed: float) -> Conversation:
        random = Random(seed)  # noqa: S311 - no secret
        return Conversation(scenario, self._script, self._speech, random, talkative=random.uniform(*_TALKATIVE))

    def _length_ms(self, scenario: Scenario, seed: float) -> int:
        """How long the call would be if nobody stepped in."""
        return max(cue.at_ms for cue in self._conversation(scenario, seed))

    def _next_scenario(self) -> Scenario:
        if not self._bag:
            self._bag = self._random.sample(self._script.scenarios, len(self._script.scenarios))
        return self._bag.pop()

    def _announce(self, scenario: Scenario, past_ms: int) -> Call:
        return self._runtime.call(
            call_id=f"call_{secrets.token_hex(5)}",
            call_type=scenario.call_type,
            direction=scenario.direction,
            agent_id=scenario.agent.id,
            agent_name=scenario.agent.name,
            agent_version=scenario.agent.version,
            metadata={"demo": True, "scenario": scenario.name, **scenario.metadata},
            audio=Audio(caller=scenario.codec, agent=scenario.codec, supervisor=SUPERVISOR_CODEC),
            start_timestamp=self._runtime.clock.now_ms() - past_ms,
            **self._numbers(scenario),
        )

    def _numbers(self, scenario: Scenario) -> dict[str, str]:
        """The caller's number is one of those kept for fiction: 555-0100 to 555-0199."""
        if scenario.own_number is None:
            return {}
        caller = f"+1{self._random.choice(scenario.caller.area_codes)}55501{self._random.randrange(100):02}"
        both = (scenario.own_number, caller) if scenario.direction == "outbound" else (caller, scenario.own_number)
        return dict(zip(("from_number", "to_number"), both, strict=True))
