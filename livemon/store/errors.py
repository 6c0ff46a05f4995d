"""The errors of this package.

StoreError             the database cannot be used; the text is fit to be shown to an operator
├── UnusableDatabase   an address, a folder or a file that this version cannot use
├── NewerDatabase      the file was written by a newer livemon; `revision` is its revision
├── StoreClosed        used before `Store.open`, or after `Store.close`
└── StoreAway          it did not answer in time, or it answered with an error; may work again later
"""


class StoreError(Exception):
    """Base of all reasons why the database cannot be used."""


class UnusableDatabase(StoreError):
    """Says which address it is, and what would do."""


class NewerDatabase(StoreError):
    def __init__(self, path: str, revision: str, known: str) -> None:
        super().__init__(
            f"The database {path} was written by a newer livemon (its revision is {revision}; this version knows up to "
            f"{known}). Nothing was changed, and livemon does not start with it. Install that newer version again, put "
            "back the copy of the file from before the upgrade, or name another file in LIVEMON_DATABASE_URL."
        )
        self.revision = revision


class StoreClosed(StoreError):
    def __init__(self) -> None:
        super().__init__("The database is not open: livemon is starting or ending. Try again in a few seconds.")


class StoreAway(StoreError):
    def __init__(self, why: str) -> None:
        super().__init__(
            f"The database cannot be reached right now ({why}). Nothing was changed. Try again in a few seconds; "
            "if it goes on, look at the disk that holds livemon's data folder."
        )
