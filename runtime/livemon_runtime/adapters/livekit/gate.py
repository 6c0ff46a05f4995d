"""What closes while a supervisor has the call: the models hear and make nothing more, and not one frame of the agent's leaves.

Three doors. The models' (`models`), so that nothing runs them, whoever asks. Speeches: whatever the agent's program begins
to say is interrupted as it is made, a late tool's answer too, and no agent takes over from another. The outputs' (`outputs`)
and the room's (`room`): what was on its way ends there. Speech recognition stands before all of them and goes on.
"""

import logging
from collections.abc import Callable
from typing import Any

from livekit.agents import Agent, AgentSession

from ...call import Call
from ..surround import Act, surround
from .models import Models

_LOG = logging.getLogger("livemon_runtime")


class Gate:
    """Open until `call.agent_silent`. `cut` takes back what the outputs have."""

    def __init__(self, call: Call, session: AgentSession[Any], cut: Callable[[], None]) -> None:
        self._call, self._session, self._cut = call, session, cut
        self._models = Models(self._shut)
        self._away: float | None = None
        surround(session, "update_agent", self._staying)
        session.on("speech_created", self._spoken)
        session.on("conversation_item_added", self._handed_over)

    def look(self) -> None:
        """Find what the agent of now has."""
        try:
            agent = self._session.current_agent
        except RuntimeError:
            return  # not started
        self._models.take(agent)

    def close(self) -> None:
        """Whatever is being thought or said ends, also what lets nobody interrupt it."""
        self.look()
        self._cut()
        try:
            # Not awaited: it is over only when the tools that are running are, or after five seconds.
            self._session.interrupt(force=True)
        except RuntimeError as error:
            _LOG.debug("call %s: there was nothing to interrupt: %s", self._call.call_id, error)
        self._cut()
        self._keep_company()

    def open(self) -> None:
        """The supervisor did not get the call after all."""
        if self._away is not None:
            self._session.options.user_away_timeout = self._away
            self._away = None

    def _keep_company(self) -> None:
        """A caller who listens to the supervisor is not away."""
        options = self._session.options
        if options.user_away_timeout is not None:
            self._away, options.user_away_timeout = options.user_away_timeout, None
        cancel: Act | None = getattr(self._session, "_cancel_user_away_timer", None)
        if cancel is not None:  # there is no other way to stop the one that is running
            cancel()

    def _shut(self, agent: Agent) -> bool:
        if not self._call.agent_silent:
            return False
        try:
            return agent.session is self._session
        except RuntimeError:
            return True  # between two agents

    def _spoken(self, event: Any) -> None:
        if self._call.agent_silent:
            event.speech_handle.interrupt(force=True)

    def _handed_over(self, event: Any) -> None:
        """Said before the new agent is entered."""
        if event.item.type == "agent_handoff":
            self.look()

    def _staying(self, inner: Act) -> Act:
        def update_agent(agent: Agent) -> None:
            if self._call.agent_silent:
                _LOG.warning(
                    "call %s: no agent takes over from another while a supervisor has the caller", self._call.call_id
                )
            else:
                inner(agent)

        return update_agent
