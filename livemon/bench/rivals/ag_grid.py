"""Rival: NiceGUI's `ui.aggrid`, tuned: row ids, asynchronous transactions, one batch of changed rows every 50 ms."""

import asyncio

from nicegui import app, ui

from livemon.bench.rivals.source import Row, all_rows, changes, port
from livemon_runtime.keys import Keys

KEYS = Keys()
rows: dict[str, Row] = {}
dirty: dict[str, Row] = {}
grids: list[ui.aggrid] = []


async def follow() -> None:
    async for changed in changes(KEYS):
        for row in changed:
            if rows.get(row["id"]) != row:
                rows[row["id"]] = dirty[row["id"]] = row


async def flush() -> None:
    while True:
        await asyncio.sleep(0.05)
        if dirty:
            update = list(dirty.values())
            dirty.clear()
            for grid in grids:
                grid.run_grid_method("applyTransactionAsync", {"update": update})


@ui.page("/")
def page() -> None:
    columns = [{"field": name, "headerName": name} for name in ("start", "type", "id", "agent", "from", "status")]
    options = {"columnDefs": columns, "rowData": list(rows.values()), ":getRowId": "(params) => params.data.id"}
    grid = ui.aggrid({**options, "asyncTransactionWaitMillis": 50}).style("height: 800px")
    grids.append(grid)
    ui.context.client.on_delete(lambda: grids.remove(grid))


async def start() -> None:
    rows.update((row["id"], row) for row in await all_rows(KEYS))
    app.extra = [asyncio.create_task(follow()), asyncio.create_task(flush())]  # type: ignore[attr-defined]


app.on_startup(start)
ui.run(port=port(), host="127.0.0.1", show=False, reload=False)
