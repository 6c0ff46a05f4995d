"""A TCP proxy before Valkey that loses answers: the request arrives and is done, and the asker never hears of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class LossyProxy:
    """Passes everything on, until it is told to lose the answer to a request, or to be away."""

    target: int
    port: int = 0
    lost: asyncio.Event = field(default_factory=asyncio.Event)
    """The answer has been lost: the server did what was asked, and the connection is cut."""
    _thief_of: bytes | None = None
    _away_after: bool = False
    _away: bool = False
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def lose_answer_to(self, words: bytes, *, then_away: bool = False) -> None:
        """Lose the answer to the next request with `words` in it; `then_away`: and let nobody in after that."""
        self.lost.clear()
        self._thief_of, self._away_after = words, then_away

    def go_away(self) -> None:
        self._away = True
        for writer in list(self._open):
            writer.transport.abort()

    def come_back(self) -> None:
        self._away = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away:
            writer.transport.abort()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self.target)
        self._open |= {writer, to_server}
        lose = asyncio.Event()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._requests(reader, to_server, lose))
                tasks.create_task(self._answers(from_server, writer, lose))
        except* OSError:
            pass
        finally:
            self._open -= {writer, to_server}
            writer.transport.abort()
            to_server.transport.abort()

    async def _requests(self, reader: asyncio.StreamReader, server: asyncio.StreamWriter, lose: asyncio.Event) -> None:
        while data := await reader.read(1 << 20):
            if self._thief_of and self._thief_of in data:
                self._thief_of = None
                lose.set()
            server.write(data)
            await server.drain()
        raise ConnectionResetError

    async def _answers(self, server: asyncio.StreamReader, writer: asyncio.StreamWriter, lose: asyncio.Event) -> None:
        while data := await server.read(1 << 20):
            if lose.is_set():
                if self._away_after:
                    self.go_away()
                self.lost.set()
                raise ConnectionResetError
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


@asynccontextmanager
async def lossy_proxy(target: int) -> AsyncIterator[LossyProxy]:
    proxy = LossyProxy(target)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.go_away()
