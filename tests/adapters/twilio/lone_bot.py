"""A bot in a process of its own, so that it can be killed: it says a tone for as long as it lives."""

import asyncio
import base64
import contextlib
import json
import sys

from websockets.asyncio.server import ServerConnection, serve

from tests.adapters.twilio.tones import BOT, frames


async def answer(socket: ServerConnection) -> None:
    stream_sid = ""
    while not stream_sid:
        message = json.loads(await socket.recv())
        stream_sid = message.get("start", {}).get("streamSid", "")

    async def speak() -> None:
        for frame in frames(BOT):
            media = {"payload": base64.b64encode(frame).decode()}
            await socket.send(json.dumps({"event": "media", "streamSid": stream_sid, "media": media}))
            await asyncio.sleep(0.02)

    speaking = asyncio.create_task(speak())
    with contextlib.suppress(Exception):
        async for _ in socket:
            pass
    speaking.cancel()


async def main(port: int) -> None:
    async with serve(answer, "127.0.0.1", port):
        print("ready", flush=True)
        await asyncio.Future()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
