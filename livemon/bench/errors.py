"""BenchError: a benchmark that cannot be run here, and why."""


class BenchError(Exception):
    """`what` happened, with the end of the log that tells more."""

    def __init__(self, what: str, log: str = "") -> None:
        super().__init__(f"{what}\n{log}" if log else what)
        self.what, self.log = what, log
