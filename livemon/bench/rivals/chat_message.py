"""Rival: NiceGUI's `ui.chat_message`, one element a turn, added as the transcript's stream grows."""

import asyncio
from typing import cast

import orjson
from nicegui import background_tasks, ui

from livemon.bench.rivals.source import Answer, client, port
from livemon_runtime.keys import Keys

STREAM = Keys().transcript("call_000000")


def show(entry: dict[str, str]) -> None:
    ui.chat_message(entry["content"], name=entry["role"], sent=entry["role"] == "agent")


@ui.page("/")
async def page() -> None:
    redis_client = client()
    box = ui.column().classes("w-full")
    cursor = "0"

    async def follow(block_ms: int | None) -> None:
        nonlocal cursor
        answer = cast(Answer, await redis_client.xread({STREAM: cursor}, block=block_ms, count=1_000))
        for _stream, entries in answer:
            cursor = entries[-1][0].decode()
            with box:
                for _, fields in entries:
                    show(orjson.loads(fields[b"data"]))

    async def tail() -> None:
        while True:
            await follow(5_000)

    await follow(None)
    task = cast("asyncio.Task[None]", background_tasks.create(tail()))
    ui.context.client.on_delete(task.cancel)


ui.run(port=port(), host="127.0.0.1", show=False, reload=False)
