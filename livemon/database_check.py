"""Whether the database that the settings name can be used, and what to do if not. It changes nothing, and makes nothing."""

import contextlib
import sqlite3
from pathlib import Path

from livemon.finding import Finding, Grade
from livemon.store.address import ServerAddress, read_address
from livemon.store.errors import UnusableDatabase

TIMEOUT_S = 5.0


async def check_database(database_url: str) -> Finding:
    """What was found; its words hold no password."""
    try:
        address = read_address(database_url)
    except UnusableDatabase as error:
        what, _, advice = str(error).partition(". livemon does not start. ")
        return Finding(Grade.PROBLEM, what, f"{advice}.")
    return _file(address) if isinstance(address, Path) else await _server(address)


def _file(path: Path) -> Finding:
    if not path.exists():
        return Finding(Grade.OK, f"The database {path} will be made at the first start")
    try:
        address = f"{path.absolute().as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=TIMEOUT_S)) as database:
            said = str(database.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        said = str(error)
    if said == "ok":
        return Finding(Grade.OK, f"The database {path} is whole")
    return Finding(
        Grade.PROBLEM,
        f"The database {path} is damaged or cannot be read ({said})",
        "Stop livemon and bring the file back from a backup; without one move it away, and sign in anew.",
    )


async def _server(address: ServerAddress) -> Finding:
    from livemon.store.postgres import LOST, look, what_to_do, why  # asyncpg is for those who have a server

    name = f"The PostgreSQL database {address}"
    try:
        seen = await look(address)
    except LOST as error:
        return Finding(Grade.PROBLEM, f"{name} cannot be used ({why(error)})", what_to_do(error))
    if seen.unfit:
        return Finding(Grade.PROBLEM, f"{name} cannot be used ({seen.unfit[0]})", seen.unfit[1])
    tables = "has livemon's tables" if seen.has_tables else "will be given its tables at the first start"
    return Finding(Grade.OK, f"{name} answers ({seen.version}), and {tables}")
