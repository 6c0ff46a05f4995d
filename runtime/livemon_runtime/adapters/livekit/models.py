"""The doors of an agent's models. While a supervisor has the call nothing goes in there, and nothing that is made comes out.

An `Agent` has a method for each model that the session calls (its nodes), and a session with a speech-to-speech model of
its own. Both are surrounded, one object each, and ask at every call whether they are shut.
"""

import asyncio
from collections.abc import Callable
from typing import Any, cast

from livekit.agents import Agent
from livekit.agents.llm import RealtimeError, StopResponse

from ..surround import Act, surround

_NODES = ("llm_node", "tts_node", "transcription_node", "realtime_audio_output_node")
_PUSHED = ("push_audio", "push_video", "commit_audio", "start_user_activity")
_SENT = ("update_chat_ctx", "update_instructions", "update_tools")
_ASKED = ("generate_reply", "say")


class Models:
    """Of every agent that the session has had. `shut(agent)`: whether nothing may come of that agent's."""

    def __init__(self, shut: Callable[[Agent], bool]) -> None:
        self._shut = shut
        self._agents: list[Agent] = []
        self._sessions: list[Any] = []

    def take(self, agent: Agent) -> None:
        """Surround what `agent` has, once; what it gets later when it is taken again."""
        if not any(one is agent for one in self._agents):
            self._agents.append(agent)
            for name in _NODES:
                surround(agent, name, lambda inner: self._none(agent, inner))
            surround(agent, "on_user_turn_completed", lambda inner: self._no_reply(agent, inner))
            surround(agent, "on_user_turn_exceeded", lambda inner: self._nothing(agent, inner))
            surround(agent, "on_enter", lambda inner: self._entering(agent, inner))
        self._take_session(agent)

    def _take_session(self, agent: Agent) -> None:
        try:
            session = cast("Any", agent).realtime_llm_session
        except RuntimeError:
            return  # it has none, or not yet
        if any(one is session for one in self._sessions):
            return
        self._sessions.append(session)
        for name in _PUSHED:
            surround(session, name, lambda inner: self._none(agent, inner))
        for name in _SENT:
            surround(session, name, lambda inner: self._nothing(agent, inner))
        for name in _ASKED:
            surround(session, name, lambda inner: self._refused(agent, inner))

    def _none(self, agent: Agent, inner: Act) -> Act:
        """A node that answers None has made nothing; so says LiveKit."""

        def node(*args: Any, **kwargs: Any) -> Any:
            return None if self._shut(agent) else inner(*args, **kwargs)

        return node

    def _nothing(self, agent: Agent, inner: Act) -> Act:
        async def act(*args: Any, **kwargs: Any) -> Any:
            return None if self._shut(agent) else await inner(*args, **kwargs)

        return act

    def _no_reply(self, agent: Agent, inner: Act) -> Act:
        async def on_user_turn_completed(*args: Any, **kwargs: Any) -> None:
            if self._shut(agent):
                raise StopResponse
            await inner(*args, **kwargs)

        return on_user_turn_completed

    def _entering(self, agent: Agent, inner: Act) -> Act:
        """A speech-to-speech model has its session by then, and has heard nothing yet."""

        async def on_enter() -> None:
            self._take_session(agent)
            await inner()

        return on_enter

    def _refused(self, agent: Agent, inner: Act) -> Act:
        def ask(*args: Any, **kwargs: Any) -> Any:
            if not self._shut(agent):
                return inner(*args, **kwargs)
            answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            answer.set_exception(RealtimeError("a supervisor has the caller: the model is not asked"))
            answer.exception()  # it is no fault if nobody looks
            return answer

        return ask
