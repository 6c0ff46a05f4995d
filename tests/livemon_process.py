"""livemon as people run it: the real command in a process of its own, for tests that look at it from outside."""

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from livemon.access.links import make_link
from livemon.access.roles import Role
from livemon.store.store import Store

START_TIMEOUT_S = 180


def clean_environment() -> dict[str, str]:
    """This process's environment without what would change livemon's ways: its own settings, pytest's, NiceGUI's."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("LIVEMON", "PYTEST", "NICEGUI"))}


def any_certificate() -> ssl.SSLContext:
    """For the tests' own certificates, which nobody knows."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@dataclass
class LivemonProcess:
    """A server that a test may stop, kill and start again; it keeps its port and its data folder."""

    port: int
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"{'https' if 'LIVEMON_TLS_CERT' in self.settings else 'http'}://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        own = {"LIVEMON_PORT": str(self.port), "LIVEMON_DATA_DIR": str(self.folder / "data"), **self.settings}
        return {**clean_environment(), **own}

    @property
    def output(self) -> str:
        """Everything that it has said on stdout and stderr so far."""
        return (self.folder / "livemon.log").read_text(errors="replace")

    def begin(self) -> None:
        """Start it, and wait for nothing."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "livemon.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "livemon", *self.command],
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.begin()
        assert self.process is not None
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._answers():
            assert self.process.poll() is None, f"livemon has ended:\n{self.output[-4000:]}"
            assert time.monotonic() < deadline, f"livemon does not answer:\n{self.output[-4000:]}"
            time.sleep(0.05)

    def await_words(self, words: str, times: int = 1) -> None:
        """Wait until it has said this."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while self.output.count(words) < times:
            assert time.monotonic() < deadline, f"livemon does not say «{words}»:\n{self.output[-4000:]}"
            time.sleep(0.02)

    def run(self, *command: str, timeout: float = 180) -> tuple[int, str]:
        """Run a command with these settings to its end: the exit code, and all that it has said."""
        self.folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "livemon", *command],
            env=self.environment,
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )
        return done.returncode, done.stdout

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=10, context=any_certificate()) as answer:
                return answer.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> int:
        """End it as an operator would; answers its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait(120)

    # --- people

    @property
    def database_url(self) -> str:
        own = f"sqlite+aiosqlite:///{self.folder / 'data' / 'livemon.db'}"
        return self.settings.get("LIVEMON_DATABASE_URL", own)

    async def link_token(self, name: str | None = None, role: Role = Role.ADMIN, workspace: str = "default") -> str:
        """A token that signs somebody in once; the person and the role are there from now on."""
        store = Store(self.database_url)
        await store.open()
        try:
            return await make_link(store, name=name, role=role, workspace=workspace)
        finally:
            await store.close()

    async def cookie(self, name: str | None = None, role: Role = Role.ADMIN, workspace: str = "default") -> str:
        """The session cookie's value of somebody who has just signed in."""
        token = await self.link_token(name, role, workspace)
        return await asyncio.to_thread(self._use_link, token)

    def _use_link(self, token: str) -> str:
        body = json.dumps({"token": token}).encode()
        headers = {"Content-Type": "application/json", "Origin": self.url}
        request = urllib.request.Request(f"{self.url}/sign-in/link", body, headers)
        with urllib.request.urlopen(request, timeout=60, context=any_certificate()) as answer:
            return answer.headers["Set-Cookie"].split(";")[0].partition("=")[2]
