"""A server that runs the real endpoints of Live Listen beside a page that uses the real call_audio.js.

The page has a button to click; sign-in is another part's, so that everyone who asks is the same person, until a test ends
the session.
"""

import asyncio
import contextlib
import socket
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import HTMLResponse

from components.assets import Assets
from livemon.access.person import Person
from livemon.access.roles import RIGHTS, Role
from livemon.api import listen
from livemon.api.errors import ApiError, answer_api_error
from livemon.media.listening import Listening
from livemon.store.audit.log import AuditLog
from livemon.store.store import Store
from livemon_runtime.keys import Keys

PAGE = """<!doctype html><title>listen</title><button id="go">Live Listen</button><script type="module">
import { CallAudio } from "/assets/call_audio.js";
window.asked = 0;
for (const name of ["getUserMedia", "getDisplayMedia"]) {
  const original = MediaDevices.prototype[name];
  MediaDevices.prototype[name] = function (...args) { window.asked += 1; return original.apply(this, args); };
}
window.audio = new CallAudio();
window.states = [];
window.audio.onstate = (state) => window.states.push(state);
const callId = new URLSearchParams(location.search).get("call");
document.querySelector("#go").addEventListener("click", () => window.audio.start(callId));
window.loudest = (voice) => {
  const analyser = window.audio.analyser(voice);
  if (!analyser) return 0;
  const bins = new Float32Array(analyser.frequencyBinCount);
  analyser.getFloatFrequencyData(bins);
  const peak = bins.indexOf(Math.max(...bins));
  return bins[peak] > -60 ? peak * analyser.context.sampleRate / analyser.fftSize : 0;
};
window.ready = true;
</script>"""


@dataclass
class Session:
    """A session that a test may end."""

    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self) -> None:
        self.ended.set()

    @contextlib.asynccontextmanager
    async def hold(self, _session_id: str, _right: object) -> AsyncIterator["Session"]:
        yield self


@contextlib.asynccontextmanager
async def serve(listening: Listening, session: Session) -> AsyncIterator[str]:
    """Serve until the block ends; gives the page's address."""
    async with contextlib.AsyncExitStack() as stack:
        audit = await stack.enter_async_context(_log())
        yield await stack.enter_async_context(_serve(listening, session, audit))


@contextlib.asynccontextmanager
async def _log() -> AsyncIterator[AuditLog]:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/livemon.db")
        await store.open()
        log = AuditLog(store, Path(folder) / "audit.key")
        await log.open()
        yield log
        await log.close()
        await store.close()


@contextlib.asynccontextmanager
async def _serve(listening: Listening, session: Session, audit: AuditLog) -> AsyncIterator[str]:
    workspace = SimpleNamespace(listening=listening, keys=Keys())
    host = SimpleNamespace(sessions=session, workspaces={"default": workspace}, audit=audit)
    app = FastAPI()
    app.add_exception_handler(ApiError, answer_api_error)

    @app.middleware("http")
    async def sign_in(request: Request, call_next):
        request.state.person = (
            None
            if session.ended.is_set()
            else Person("u1", "Ada", "ada@example.org", Role.ADMIN, "default", "session-1", RIGHTS[Role.ADMIN])
        )
        return await call_next(request)

    @app.get("/")
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE)

    app.include_router(listen.router(host))
    app.mount("/assets", Assets())
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", lifespan="off"))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            server.should_exit = True
            await serving
