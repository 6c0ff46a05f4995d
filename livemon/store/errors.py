"""The errors of this package.

StoreError             the database cannot be used; the text is fit to be shown to an operator, and holds no password
├── UnusableDatabase   an address, a folder, a file or a server that this version cannot use
├── NewerDatabase      the tables are those of a newer livemon; `revision` is their revision
├── StoreClosed        used before `Store.open`, or after `Store.close`
└── StoreAway          it did not answer in time, or it answered with an error; may work again later
"""


class StoreError(Exception):
    """Base of all reasons why the database cannot be used."""


class UnusableDatabase(StoreError):
    """Says which address it is, and what would do."""


class NewerDatabase(StoreError):
    def __init__(self, name: str, revision: str, known: str) -> None:
        super().__init__(
            f"The database {name} was written by a newer livemon (its revision is {revision}; this version knows up to "
            f"{known}). Nothing was changed, and livemon does not start with it. Install that newer version again, put "
            "back the backup from before the upgrade, or name another database in LIVEMON_DATABASE_URL."
        )
        self.revision = revision


class StoreClosed(StoreError):
    def __init__(self) -> None:
        super().__init__("The database is not open: livemon is starting or ending. Try again in a few seconds.")


class StoreAway(StoreError):
    """`committing`: whether it went away while it was asked to keep a change, so that nobody knows if it did."""

    def __init__(
        self, why: str, *, committing: bool = False, look_at: str = "the disk that holds livemon's data folder"
    ) -> None:
        outcome = "Nothing was changed."
        if committing:
            outcome = "Whether the last change was kept is not known; it was kept whole or not at all."
        super().__init__(
            f"The database cannot be reached right now ({why}). {outcome} Try again in a few seconds; if it goes on, "
            f"look at {look_at}."
        )
        self.committing = committing
