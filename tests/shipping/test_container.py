"""The Dockerfile, built and started for real by Debian's buildah, which needs no engine and no daemon.

It runs as root where buildah and debootstrap are installed (apt-get install buildah debootstrap). The base is a Debian
made here, once, since a container registry may be out of reach; LIVEMON_TEST_BASE names another image to stand on.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BASE = os.environ.get("LIVEMON_TEST_BASE", "localhost/livemon-test-base")
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "livemon-tests"

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("buildah") or not shutil.which("debootstrap"),
    reason="needs root and Debian's packages buildah and debootstrap",
)


def run(*command: str | Path, timeout: int = 600) -> str:
    """What the command printed; its errors fail the test with its own words."""
    done = subprocess.run(
        [str(part) for part in command], cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"{command}: exit {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


@dataclass
class Builder:
    """A buildah whose images and containers live in a folder of their own, and go with it."""

    folder: Path

    def command(self, *arguments: str | Path) -> list[str]:
        storage = ["--storage-driver", "vfs", "--root", f"{self.folder}/root", "--runroot", f"{self.folder}/run"]
        return ["buildah", *storage, *map(str, arguments)]

    def __call__(self, *arguments: str | Path) -> str:
        return run(*self.command(*arguments))


def debian() -> Path:
    """A minimal Debian with Python, as an archive; made at first use, and kept."""
    archive = CACHE / "bookworm.tar"
    if not archive.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="livemon-base-") as folder:
            packages = "--include=python3,python3-venv,ca-certificates"
            run("debootstrap", "--variant=minbase", packages, "bookworm", folder)
            run(
                "tar",
                "-C",
                folder,
                "--exclude=./var/cache/apt/archives/*.deb",
                "-cf",
                archive.with_suffix(".part"),
                ".",
            )
        archive.with_suffix(".part").replace(archive)
    return archive


@pytest.fixture(scope="module")
def builder() -> Iterator[Builder]:
    folder = Path(tempfile.mkdtemp(prefix="livemon-buildah-"))
    buildah = Builder(folder)
    yield buildah
    buildah("rm", "--all")
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def image(builder: Builder) -> str:
    if "LIVEMON_TEST_BASE" not in os.environ:
        container = builder("from", "scratch")
        builder("add", container, debian(), "/")
        builder("commit", "--rm", container, BASE)
    certificates = "/etc/ssl/certs:/etc/ssl/certs:ro"
    options = ["--isolation", "chroot", "--format", "docker", "--volume", certificates, "--build-arg", f"BASE={BASE}"]
    builder("bud", *options, "--tag", "localhost/livemon", ".")
    return "localhost/livemon"


@pytest.fixture
def container(builder: Builder, image: str) -> Iterator[str]:
    name = builder("from", image)
    yield name
    builder("rm", name)


def test_the_image_runs_without_rights_and_carries_no_build_tools(builder: Builder, image: str, container: str):
    """Non-root by number, a health check, data in a volume, and nothing that installs or compiles."""
    config = json.loads(builder("inspect", "--type", "image", image))["Docker"]["config"]
    assert config["User"] == "10001:10001"
    assert "/data" in config["Volumes"]
    assert "8080/tcp" in config["ExposedPorts"]
    assert config["Healthcheck"]["Test"][0] == "CMD"
    folder = Path(builder("mount", container))
    venv = folder / "opt/livemon"
    assert not [*venv.glob("bin/pip*"), *venv.glob("bin/uv"), *folder.glob("src"), *folder.glob("build")]
    assert not [path for path in ("gcc", "cc", "make") if (folder / "usr/bin" / path).exists()]
    size = sum(path.lstat().st_size for path in venv.rglob("*") if path.is_file() and not path.is_symlink())
    sys.stdout.write(f"livemon adds {size / 1e6:.0f} MB to its base\n")
    builder("umount", container)


def test_the_container_serves_and_keeps_its_data_in_the_volume(
    builder: Builder, container: str, tmp_path: Path, unused_tcp_port: int
):
    """Started with a port and a volume alone, it answers, is healthy, and keeps its data in the volume, not as root."""
    data = tmp_path / "data"
    data.mkdir()
    os.chown(data, 10001, 10001)
    builder("config", "--volume", "/data-", container)  # buildah would lay an empty volume of its own over ours
    options = ["--isolation", "chroot", "--volume", f"{data}:/data", "--env", f"LIVEMON_PORT={unused_tcp_port}"]
    log = tmp_path / "log"
    with log.open("w") as output:
        server = subprocess.Popen(
            builder.command("run", *options, container, "livemon"),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        await_health(server, f"http://127.0.0.1:{unused_tcp_port}/healthz", log)
        check = builder("inspect", "--type", "container", container)
        health = json.loads(check)["Docker"]["config"]["Healthcheck"]["Test"][1:]
        builder("run", *options, container, *health)
        owners = {path.lstat().st_uid for path in data.rglob("*")}
        assert owners == {10001}, f"files of {owners} in the volume; the log: {log.read_text()}"
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(120)


def await_health(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Ask until it answers; a server that has ended, or says nothing for a minute, fails with its log."""
    deadline = time.monotonic() + 60
    while True:
        assert server.poll() is None, f"the container ended:\n{log.read_text()}"
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                assert answer.status == 200
                return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline, f"no answer for a minute:\n{log.read_text()}"
            time.sleep(0.1)
