"""A real PostgreSQL of Debian's, in a folder of its own, for tests that share it or stop and kill one of their own.

It does not run as root: started by root it runs as Debian's user `postgres`.
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

START_TIMEOUT_S = 180
ROOM_BYTES = 1_000_000_000
_PARTS = ("initdb", "postgres", "psql")
_RULES = """\
host all guarded 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
local all all trust
"""
"""Who comes in how: `guarded` by a password, everybody else as whoever they say they are."""


def folder_of_programs() -> Path:
    """Where Debian keeps the newest server's programs; they are not on the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    found = [path for path in found if all((path / part).exists() for part in _PARTS)]
    assert found, "PostgreSQL is not installed: run `make postgresql`, or apt-get install postgresql"
    return found[-1]


def _as_whom() -> dict[str, Any]:
    """For `subprocess`: another user than root."""
    return {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}


def _new_folder() -> Path:
    """In memory where there is room: a new database is a copy of some 300 files."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and shutil.disk_usage(memory).free > ROOM_BYTES
    return Path(tempfile.mkdtemp(prefix="livemon-postgres-", dir=memory if roomy else None))


@dataclass
class PostgresProcess:
    """A server; started again, it has its port and its data. What it promises a disk it does not keep: that is slow."""

    port: int
    folder: Path = field(default_factory=lambda: _new_folder())
    process: subprocess.Popen[bytes] | None = None

    def create(self) -> None:
        """The files of an empty server."""
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.folder, user.pw_uid, user.pw_gid)
        options = ["--username=postgres", "--encoding=UTF8", "--locale=C", "--auth=trust", "--no-sync"]
        self._run("initdb", "--pgdata", str(self.folder / "data"), *options)
        (self.folder / "data" / "pg_hba.conf").write_text(_RULES)

    def start(self) -> None:
        settings = {
            **{"port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder},
            **{"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": 200},
            **{"shared_buffers": "32MB", "log_statement": "none"},
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [folder_of_programs() / "postgres", "-D", self.folder / "data", *options],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **_as_whom(),
            )
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            log = self.folder / "server.log"
            assert self.process.poll() is None, f"PostgreSQL has ended:\n{log.read_text()}"
            assert time.monotonic() < deadline, f"PostgreSQL does not answer:\n{log.read_text()}"
            time.sleep(0.05)

    def stop(self) -> None:
        """End it at once, and everybody's connections with it, as an operator would in a hurry."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)

    def freeze(self) -> None:
        """It holds its connections, takes new ones, and answers nothing."""
        for process in self._all():
            process.suspend()

    def thaw(self) -> None:
        for process in self._all():
            process.resume()

    def remove(self) -> None:
        """End it, however it is, and everything that it has written."""
        if self.process and self.process.poll() is None:
            self.thaw()
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, database: str = "postgres", user: str = "postgres", password: str = "") -> str:
        """Its address; the password is written as it has to be in one."""
        return f"postgresql://{user}{':' if password else ''}{password}@127.0.0.1:{self.port}/{database}"

    def sql(self, *commands: str, database: str = "postgres") -> str:
        """Each a transaction of its own; what they print."""
        arguments = [part for command in commands for part in ("-c", command)]
        return self._run(
            "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *self._where(), "-d", database, *arguments
        )

    def _all(self) -> list[psutil.Process]:
        assert self.process is not None
        main = psutil.Process(self.process.pid)
        return [main, *main.children()]

    def _answers(self) -> bool:
        command = [folder_of_programs() / "psql", "-X", "-q", *self._where(), "-d", "postgres", "-c", "SELECT 1"]
        return subprocess.run(command, capture_output=True, check=False, timeout=START_TIMEOUT_S).returncode == 0

    def _where(self) -> list[str]:
        return ["-h", str(self.folder), "-p", str(self.port), "-U", "postgres"]

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [folder_of_programs() / program, *arguments],
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
            timeout=START_TIMEOUT_S,
            **_as_whom(),
        )
        assert done.returncode == 0, done.stderr
        return done.stdout
