"""From a session's events to the call's record: who said what, which tools were called, which agent took over from which."""

import re
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from livekit import rtc
from livekit.agents import AgentSession

from ...call import Call
from ...drops import Drops
from ...turn import Turn
from .agent_words import AgentWords

_OBJECT = re.compile(r"<(?:[\w<>]+\.)*(\w+) object at 0x[0-9a-f]+>")
"""An agent among what a tool answers, as Python writes it."""
_MOST_OPEN = 8
_MOST_SEEN = 256
_MOST_HEARD = 16


class Recorder:
    """Told of a session's events once `listen` was called. Never raises into the session."""

    def __init__(self, call: Call, drops: Drops, words: AgentWords) -> None:
        self._call, self._drops, self._words = call, drops, words
        self._open: OrderedDict[str | None, tuple[Turn, str]] = OrderedDict()
        """The caller's turns that are not final, and what is known of each, by the model's name for it."""
        self._heard: deque[str] = deque(maxlen=_MOST_HEARD)
        """What was recognised since the session's last message of the caller's."""
        self._tools: deque[str] = deque(maxlen=_MOST_SEEN)

    def listen(self, session: AgentSession[Any]) -> None:
        session.on("user_input_transcribed", self.safely(self._transcribed))
        session.on("conversation_item_added", self.safely(self._item))
        session.on("tool_execution_updated", self.safely(self._tool))
        session.on("function_tools_executed", self.safely(self._executed))
        session.on("agent_state_changed", self.safely(self._state))

    def safely(self, note: Callable[[Any], None]) -> Callable[[Any], None]:
        """`note`, with whatever it fails at counted and logged by the runtime instead of raised into the session."""

        def noted(event: Any) -> None:
            try:
                note(event)
            except Exception as error:
                self._drops.drop("livekit_event_malformed", f"{self._call.call_id}: {note.__name__}: {error!r}")

        return noted

    def end(self) -> None:
        """The session is over: what was being said was said."""
        for turn, text in self._open.values():
            turn.final(text)
        self._open.clear()
        self._words.finish()

    # --- the caller

    def _transcribed(self, event: Any) -> None:
        key, text = getattr(event, "item_id", None), event.transcript.strip()
        turn = self._open.pop(key)[0] if key in self._open else None
        if event.is_final:
            self._heard.append(_plain(text))
            if text:
                (turn or self._call.user_turn()).final(text)
            elif turn:
                turn.retract()
        elif text or turn:
            turn = turn or self._call.user_turn()
            turn.partial(text)
            self._open[key] = turn, text
            if len(self._open) > _MOST_OPEN:
                oldest, known = self._open.popitem(last=False)[1]
                oldest.final(known)

    def key(self, event: rtc.SipDTMF) -> None:
        self._call.dtmf(event.digit)

    # --- the agent

    def _item(self, event: Any) -> None:
        item = event.item
        if item.type == "agent_handoff":
            if item.old_agent_id is not None:
                self._call.node_transition(item.old_agent_id, item.old_agent_id, item.new_agent_id, item.new_agent_id)
        elif item.type == "message" and item.role == "assistant":
            self._words.settle(item.text_content or "", interrupted=bool(item.interrupted))
        elif item.type == "message" and item.role == "user":
            self._said_or_typed(item.text_content or "")

    def _said_or_typed(self, text: str) -> None:
        """A message of the caller's: in the record already, unless it was typed."""
        plain = _plain(text)
        spoken = not plain or any(heard and heard in plain for heard in self._heard)
        self._heard.clear()
        if not spoken:
            self._call.user_turn().final(text.strip())

    def _state(self, event: Any) -> None:
        if event.new_state == "speaking":
            self._words.begin()
        elif event.old_state == "speaking":
            self._words.finish()

    def _tool(self, event: Any) -> None:
        update = event.update
        if update.type == "tool_call_started":
            call = update.function_call
            self._tools.append(call.call_id)
            self._call.tool_call(call.call_id, call.name, call.arguments or "{}")
        elif update.type == "tool_call_ended":
            content = "Cancelled." if update.status == "cancelled" else _OBJECT.sub(r"\1", update.message or "")
            self._call.tool_result(update.call_id, content, successful=update.status == "done")

    def _executed(self, event: Any) -> None:
        """Calls that came to no tool: of an unknown one, or with arguments that are none."""
        for call, output in event.zipped():
            if call.call_id not in self._tools:
                self._tools.append(call.call_id)
                self._call.tool_call(call.call_id, call.name, call.arguments or "{}")
                self._call.tool_result(call.call_id, output.output, successful=not output.is_error)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
