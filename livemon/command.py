"""What the commands share: settings, a loop to run in, a database that must be there, and the end with words."""

from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import typer

from livemon import logs
from livemon.settings import Settings, SettingsError

if TYPE_CHECKING:
    from livemon.store.store import Store

_T = TypeVar("_T")


def read_settings() -> Settings:
    """The settings, with logs set up by them; ends with words if they cannot be used."""
    try:
        settings = Settings.read()
    except SettingsError as error:
        fail(error)
    logs.configure(settings.log_level, settings.log_format)
    return settings


def run(work: Coroutine[Any, Any, _T]) -> _T:
    import uvloop

    return uvloop.run(work)


def fail(error: Exception) -> NoReturn:
    typer.secho(str(error), fg=typer.colors.RED, err=True)
    raise typer.Exit(1)


def with_store(work: "Callable[[Settings, Store], Awaitable[_T]]") -> _T:
    """What `work` gives with these settings and their database; ends with words if that cannot be used."""
    from livemon.store.store import Store, StoreError

    settings = read_settings()

    async def opened() -> _T:
        store = Store(settings.database)
        if store.path is not None and not store.path.exists():
            raise ValueError(
                f"There is no database {store.path}, so no livemon has run with these settings. Run this in the folder in "
                "which livemon runs, or set LIVEMON_DATA_DIR (or LIVEMON_DATABASE_URL) as it is set there."
            )
        try:
            await store.open()
            return await work(settings, store)
        finally:
            await store.close()

    try:
        return run(opened())
    except (StoreError, ValueError, OSError) as error:
        fail(error)
