"""The other ends of `livemon bench twilio`, in a process of their own: carriers that call, and bots that answer.

Both sides speak all the time, a message every 20 ms. `python -m livemon.bench.twilio_load GATEWAY BOT_PORT CALLS`.
"""

import asyncio
import base64
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import ClientSession, web

_FRAME_S = 0.02
_SOUND = base64.b64encode(bytes(range(160))).decode()


async def _speak(send: Callable[[str], Awaitable[None]], stream_sid: str, late: float) -> None:
    loop = asyncio.get_running_loop()
    due, n = loop.time() + late, 1
    while True:
        await asyncio.sleep(max(0.0, due - loop.time()))
        due, n = due + _FRAME_S, n + 1
        media = {"track": "inbound", "chunk": str(n), "timestamp": str(n * 20), "payload": _SOUND}
        await send(json.dumps({"event": "media", "sequenceNumber": str(n), "streamSid": stream_sid, "media": media}))


async def _bot(request: web.Request) -> web.WebSocketResponse:
    socket = web.WebSocketResponse(compress=False)
    await socket.prepare(request)
    speaking = asyncio.create_task(_speak(socket.send_str, "MZ", 0.01))
    async for _ in socket:
        pass
    speaking.cancel()
    return socket


async def _call(session: ClientSession, gateway: str, n: int, calls: int) -> None:
    async with session.ws_connect(gateway) as socket:
        stream_sid = f"MZ{os.getpid():08d}{n:024d}"
        start: dict[str, Any] = {
            "accountSid": "AC1",
            "streamSid": stream_sid,
            "callSid": f"CA{os.getpid():08d}{n:024d}",
        }
        await socket.send_str(json.dumps({"event": "connected", "protocol": "Call", "version": "1.0.0"}))
        await socket.send_str(
            json.dumps({"event": "start", "sequenceNumber": "1", "streamSid": stream_sid, "start": start})
        )
        speaking = asyncio.create_task(_speak(socket.send_str, stream_sid, _FRAME_S * n / calls))
        async for _ in socket:
            pass
        speaking.cancel()


async def main(gateway: str, port: int, calls: int) -> None:
    app = web.Application()
    app.router.add_get("/bot", _bot)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    async with ClientSession() as session, asyncio.TaskGroup() as tasks:
        for n in range(calls):
            tasks.create_task(_call(session, gateway, n, calls))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
