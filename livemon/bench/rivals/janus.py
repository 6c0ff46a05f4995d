"""Rival: Janus's streaming plugin (Debian's `janus`), with a mountpoint of two audio streams for each call.

It runs with settings of its own in the benchmark's folder; all that it does not need for this is off.
"""

import asyncio
import shutil
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from livemon.bench.errors import BenchError
from livemon.bench.process import START_TIMEOUT_S, Server, child, free_port

MISSING = "Janus is left out, since it is not installed here. Debian and Ubuntu have it: scripts/install-debian janus"

_CORE = """\
general: {
  debug_level = 2
}
nat: {
  ice_ignore_list = "vmnet"
}
plugins: {
  disable = "libjanus_audiobridge.so,libjanus_duktape.so,libjanus_echotest.so,libjanus_lua.so,libjanus_nosip.so,\
libjanus_recordplay.so,libjanus_sip.so,libjanus_textroom.so,libjanus_videocall.so,libjanus_videoroom.so,libjanus_voicemail.so"
}
transports: {
  disable = "libjanus_http.so,libjanus_mqtt.so,libjanus_nanomsg.so,libjanus_pfunix.so,libjanus_rabbitmq.so"
}
"""

_SOCKET = """\
general: {{
  json = "compact"
  ws = true
  ws_port = {port}
  ws_ip = "127.0.0.1"
  wss = false
}}
admin: {{
  admin_ws = false
}}
"""

_MOUNTPOINT = """\
call-{number}: {{
  type = "rtp"
  id = {number}
  description = "a call"
  media = (
    {{ type = "audio", mid = "0", label = "caller", port = {caller}, pt = 111, codec = "opus" }},
    {{ type = "audio", mid = "1", label = "agent", port = {agent}, pt = 111, codec = "opus" }}
  )
}}
"""


def installed() -> bool:
    return shutil.which("janus") is not None


@asynccontextmanager
async def janus(feeds: Sequence[int], folder: Path) -> AsyncGenerator[Server]:
    """Janus with a mountpoint for each two of `feeds` (UDP ports), numbered from 1; `url` is that of its WebSocket."""
    port = free_port()
    settings = folder / "janus"
    settings.mkdir()
    (settings / "janus.jcfg").write_text(_CORE)
    (settings / "janus.transport.websockets.jcfg").write_text(_SOCKET.format(port=port))
    calls = zip(feeds[::2], feeds[1::2], strict=True)
    (settings / "janus.plugin.streaming.jcfg").write_text(
        "".join(_MOUNTPOINT.format(number=n, caller=caller, agent=agent) for n, (caller, agent) in enumerate(calls, 1))
    )
    log = folder / "janus.log"
    with child(["janus", "-F", str(settings)], {}, log) as process:
        url = f"ws://127.0.0.1:{port}"
        deadline = time.monotonic() + START_TIMEOUT_S
        while not await _answers(url):
            if process.poll() is not None or time.monotonic() > deadline:
                raise BenchError("Janus did not start", log.read_text(errors="replace")[-800:])
            await asyncio.sleep(0.1)
        yield Server(url, psutil.Process(process.pid))


async def _answers(url: str) -> bool:
    try:
        async with connect(url, subprotocols=[Subprotocol("janus-protocol")], open_timeout=5):
            return True
    except (OSError, TimeoutError, WebSocketException):
        return False
