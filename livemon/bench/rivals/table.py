"""Rival: NiceGUI's `ui.table` with virtual scrolling, its rows replaced every 50 ms when some have changed."""

import asyncio

from nicegui import app, ui

from livemon.bench.rivals.source import Row, all_rows, changes, port
from livemon_runtime.keys import Keys

KEYS = Keys()
rows: dict[str, Row] = {}
tables: list[ui.table] = []
changed = asyncio.Event()


async def follow() -> None:
    async for some in changes(KEYS):
        for row in some:
            if rows.get(row["id"]) != row:
                rows[row["id"]] = row
                changed.set()


async def flush() -> None:
    while True:
        await changed.wait()
        changed.clear()
        for table in tables:
            table.rows = list(rows.values())
        await asyncio.sleep(0.05)


@ui.page("/")
def page() -> None:
    columns = [{"name": n, "label": n, "field": n} for n in ("start", "type", "id", "agent", "from", "status")]
    table = ui.table(columns=columns, rows=list(rows.values()), row_key="id")
    table.props("virtual-scroll").style("height: 800px")
    tables.append(table)
    ui.context.client.on_delete(lambda: tables.remove(table))


async def start() -> None:
    rows.update((row["id"], row) for row in await all_rows(KEYS))
    app.extra = [asyncio.create_task(follow()), asyncio.create_task(flush())]  # type: ignore[attr-defined]


app.on_startup(start)
ui.run(port=port(), host="127.0.0.1", show=False, reload=False)
