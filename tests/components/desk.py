"""The server's side of a take-over as a test wants it: it joins the audio for real (aiortc), and says what it is told to say."""

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av
import numpy as np
from aiortc import AudioStreamTrack, MediaStreamTrack, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.websockets import WebSocket, WebSocketDisconnect

CALLER_HZ = 440


class Tone(AudioStreamTrack):
    """The caller: one tone, in real time."""

    async def recv(self) -> av.AudioFrame:
        silence = await super().recv()
        at = (silence.pts + np.arange(silence.samples)) / silence.sample_rate
        sound = (np.sin(2 * np.pi * CALLER_HZ * at) * 12_000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(sound.reshape(1, -1), format="s16", layout="mono")
        frame.pts, frame.sample_rate, frame.time_base = silence.pts, silence.sample_rate, Fraction(1, 8000)
        return frame


@dataclass(eq=False)
class Line:
    """One browser that speaks: what was heard of it, and who follows what becomes of it."""

    peer: RTCPeerConnection
    request: dict[str, Any]
    followers: list[WebSocket] = field(default_factory=list)
    said: dict[str, Any] | None = None
    loud: int = 0
    silent: int = 0
    heard: asyncio.Condition = field(default_factory=asyncio.Condition)
    listening: "asyncio.Task[None] | None" = None

    async def listen(self, track: MediaStreamTrack) -> None:
        """Count the frames with a sound and those without."""
        with contextlib.suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                assert isinstance(frame, av.AudioFrame)
                loud = int(np.abs(frame.to_ndarray()).max()) > 100
                async with self.heard:
                    self.loud, self.silent = self.loud + loud, self.silent + (not loud)
                    self.heard.notify_all()

    async def hears(self, what: str, frames: int = 5) -> None:
        """Wait for so many more frames that are `loud`, or `silent`."""
        wanted = getattr(self, what) + frames
        async with asyncio.timeout(60), self.heard:
            await self.heard.wait_for(lambda: getattr(self, what) >= wanted)


class Desk:
    """Each request to take over gets a line of its own, `t1`, `t2`, …; `refuse` answers in its place."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.cancelled: list[str] = []
        self.refuse: Callable[[], Awaitable[Response]] | None = None
        self.begun = asyncio.Condition()
        self._names = (f"t{n}" for n in itertools.count(1))

    async def begin(self, request: Request) -> Response:
        if self.refuse:
            return await self.refuse()
        body = await request.json()
        line = Line(RTCPeerConnection(), body)

        @line.peer.on("track")
        def on_track(track: MediaStreamTrack) -> None:  # pyright: ignore[reportUnusedFunction]
            line.listening = asyncio.create_task(line.listen(track))

        await line.peer.setRemoteDescription(RTCSessionDescription(body["sdp"], "offer"))
        line.peer.addTrack(Tone())
        await line.peer.setLocalDescription(await line.peer.createAnswer())
        name = next(self._names)
        async with self.begun:
            self.lines[name] = line
            self.begun.notify_all()
        ids = {"take_over_id": name, "claim_id": f"claim-{name}"}
        return JSONResponse({**ids, "sdp": line.peer.localDescription.sdp, "voices": ["caller"]})

    async def cancel(self, request: Request) -> Response:
        async with self.begun:
            self.cancelled.append(request.path_params["name"])
            self.begun.notify_all()
        return Response(status_code=204)

    async def follow(self, follower: WebSocket) -> None:
        await follower.accept()
        line = self.lines.get(follower.path_params["name"])
        if line is None:
            await follower.close(4404)
            return
        if line.said:
            await follower.send_text(json.dumps(line.said))
        async with self.begun:
            line.followers.append(follower)
            self.begun.notify_all()
        with contextlib.suppress(WebSocketDisconnect):
            while True:
                await follower.receive_text()
        line.followers.remove(follower)

    async def line(self, name: str = "t1") -> Line:
        """That line, once it is there and followed."""
        async with asyncio.timeout(60), self.begun:
            await self.begun.wait_for(lambda: name in self.lines and self.lines[name].followers)
        return self.lines[name]

    async def say(self, state: str, name: str = "t1", **about: Any) -> None:
        line = await self.line(name)
        now = int(time.time() * 1000)
        empty = {"reason": None, "message": None, "holder": None, "since": None, "claim_id": None}
        line.said = {"t": "take_over", "now": now, "state": state, **empty, **about}
        for follower in list(line.followers):
            await follower.send_text(json.dumps(line.said))

    async def lose(self, name: str = "t1", *, forget: bool = True) -> None:
        """The server that had this line is gone: its audio, and who followed it."""
        line = self.lines[name]
        if forget:
            del self.lines[name]
        for follower in list(line.followers):
            await follower.close(1012)
        await line.peer.close()

    async def cut_off(self, name: str = "t1") -> None:
        """The server lets go of this line's audio, once it has come about; who follows it is told nothing of that."""
        line = await self.line(name)
        await line.hears("loud", 1)
        await line.peer.close()

    async def shut_out(self, code: int, name: str = "t1") -> None:
        """Whoever follows this line may not any more; its audio goes on."""
        for follower in list(self.lines[name].followers):
            await follower.close(code)

    async def was_cancelled(self, name: str = "t1") -> None:
        async with asyncio.timeout(60), self.begun:
            await self.begun.wait_for(lambda: name in self.cancelled)

    async def close(self) -> None:
        for line in self.lines.values():
            await line.peer.close()
            if line.listening:
                line.listening.cancel()
