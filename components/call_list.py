"""The live call list as a NiceGUI element.

Its rows come through a socket of their own (`/feed/calls`), not through NiceGUI; here are only the props that say what
surrounds it. What it does not do: open a call. It emits `open` (call_id, "key" or "pointer"), and whoever put it there
decides.
"""

from nicegui.element import Element

from livemon.texts import TEXTS

CONNECT_LINES = """\
pip install ./runtime  # in a clone of livemon

import asyncio
from livemon_runtime import Audio, Runtime

async def answer(hang_up: asyncio.Event) -> None:
    async with Runtime("{redis_url}", name="my-agent") as runtime:
        audio = Audio(caller="opus", agent="opus")
        async with runtime.call(agent_name="Ada", audio=audio) as call:
            call.on_end(hang_up.set)
            call.agent_turn().final("Good morning, how can I help?")
            await hang_up.wait()"""


class CallList(Element, component="call_list.js"):
    """Every ongoing call of the person's workspace.

    `connect_to` is the Redis address to show to someone who connects a first agent; unless given, a placeholder.
    """

    def __init__(self, *, connect_to: str = "REDIS_URL") -> None:
        super().__init__()
        self._props["texts"] = dict(TEXTS)
        self._props["connect"] = CONNECT_LINES.format(redis_url=connect_to)
        self._props["active"] = True

    def show(self, open_id: str | None, *, active: bool) -> None:
        """Say which call stands open beside the list, and whether the list is on screen and has the keys."""
        self._props["open_id"] = open_id
        self._props["active"] = active

    def pin(self, pinned: bool) -> None:
        """Say whether the open call is listened to or held: then the arrows move the selection only."""
        self._props["pinned"] = pinned
