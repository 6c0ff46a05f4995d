"""Runs Alembic's steps on a connection; `livemon.store.schema` says when, and holds the lock."""

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from .errors import NewerDatabase


def config() -> Config:
    """Alembic's settings, without a file: the steps stand beside this module, in the source tree and in the wheel."""
    settings = Config()
    settings.set_main_option("script_location", "livemon.store:migrations")
    settings.set_main_option("path_separator", "os")
    return settings


def upgrade(connection: Connection, name: str) -> None:
    """Bring the tables of the database called `name` to this version. Raises `NewerDatabase`, and changes nothing then."""
    settings = config()
    script = ScriptDirectory.from_config(settings)
    known = {step.revision for step in script.walk_revisions()}
    for revision in MigrationContext.configure(connection).get_current_heads():
        if revision not in known:
            raise NewerDatabase(name, revision, ", ".join(script.get_heads()))
    settings.attributes["connection"] = connection
    command.upgrade(settings, "head")
