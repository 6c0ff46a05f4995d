"""The command `livemon`: serve (the default), demo, bench, doctor, gateway, sign-in-link, add-workspace, workspaces, audit."""

import gc
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from livemon.access.roles import Role
from livemon.audit_cli import audit
from livemon.bench.cli import bench
from livemon.command import fail as _fail
from livemon.command import read_settings as _settings
from livemon.command import run as _run
from livemon.gateway_cli import gateway
from livemon.workspace_cli import add_workspace, workspaces

if TYPE_CHECKING:
    from livemon.node import Node

app = typer.Typer(
    help="Live monitoring for calls run by voice AI agents. Settings: LIVEMON_… in the environment or in .env.",
    no_args_is_help=False,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.add_typer(audit, name="audit")
app.add_typer(bench, name="bench")
app.add_typer(gateway, name="gateway")
app.command("add-workspace")(add_workspace)
app.command()(workspaces)


@app.callback(invoke_without_command=True)
def livemon(
    context: typer.Context,
    show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    """Without a command: serve."""
    if show_version:
        typer.echo(f"livemon {version('livemon')}")
    elif context.invoked_subcommand is None:
        serve()


@app.command()
def serve() -> None:
    """Serve livemon; with nothing configured it brings its own Valkey and SQLite, and prints a sign-in link."""
    _serve(None)


@app.command()
def demo(
    calls: Annotated[int, typer.Option(min=1, max=5_000, help="About how many calls at a time.")] = 8,
) -> None:
    """Serve livemon with calls that have real speech, to try it."""
    _serve(calls)


@app.command()
def doctor() -> None:
    """Check this setup, and say what to do."""
    from livemon.doctor import examine, report
    from livemon.finding import Grade

    findings = _run(examine(_settings()))
    typer.echo(report(findings))
    if any(finding.grade is Grade.PROBLEM for finding in findings):
        raise typer.Exit(1)


@app.command("sign-in-link")
def sign_in_link(
    name: Annotated[str | None, typer.Option(help="Whose link: a new name is a new person.")] = None,
    role: Annotated[Role, typer.Option(help="What that person may do.")] = Role.ADMIN,
    workspace: Annotated[str, typer.Option(help="In which workspace.")] = "default",
) -> None:
    """Print a link that signs somebody in, once, within 15 minutes. Without a name: the first Admin."""
    from livemon.access.links import FIRST_ADMIN, make_link, sign_in_url
    from livemon.access.members import find_or_create
    from livemon.access.workspaces import Belonging, workspaces_of
    from livemon.store.audit.log import AuditLog
    from livemon.store.store import Store, StoreError

    settings = _settings()

    async def make() -> tuple[str, list[Belonging]]:
        """The token, and where it lets in besides."""
        store = Store(settings.database)
        if store.path is not None and not store.path.exists():
            raise ValueError(
                f"There is no database {store.path}, so no livemon has run with these settings, and a link would sign "
                "nobody in. Run this in the folder in which livemon runs, or set LIVEMON_DATA_DIR (or "
                "LIVEMON_DATABASE_URL) as it is set there."
            )
        try:
            await store.open()
            log = AuditLog(store, settings.audit_key)
            await log.open()
            token = await make_link(store, name=name, role=role, workspace=workspace, audit=log)
            everywhere = await workspaces_of(store, await find_or_create(store, name or FIRST_ADMIN))
            return token, [one for one in everywhere if one.slug != workspace]
        finally:
            await store.close()

    try:
        token, elsewhere = _run(make())
    except (StoreError, ValueError) as error:
        _fail(error)
    if elsewhere:
        places = ", ".join(f"{one.slug} (as {one.role.value})" for one in elsewhere)
        typer.echo(f"Warning: this link signs in a person who can switch to other workspaces too: {places}.", err=True)
    typer.echo(sign_in_url(settings.url, token))


def _serve(demo_calls: int | None) -> None:
    settings = _settings()
    gc.disable()  # hundreds of thousands of objects come in by import, and none of them ever goes
    from livemon.access.errors import UnknownWorkspace
    from livemon.certificate import CertificateError
    from livemon.embedded_valkey import ValkeyError
    from livemon.node import Node
    from livemon.serving import PortTaken, serve
    from livemon.store.store import StoreError

    gc.freeze()
    gc.enable()

    def announce(node: Node, link: str | None) -> None:
        typer.echo(_demo_words(link) if demo_calls is not None else _words(node, link))

    try:
        _run(serve(settings, announce, demo_calls))
    except (CertificateError, PortTaken, StoreError, UnknownWorkspace, ValkeyError) as error:
        _fail(error)


def _words(node: "Node", link: str | None) -> str:
    settings = node.settings
    lines = [f"livemon {version('livemon')} is running at {settings.url}", ""]
    if link:
        lines += [f"  Sign in   {link}", "            The link works once, within 15 minutes.", ""]
    else:
        lines += ["  To sign in anew: livemon sign-in-link", ""]
    if not settings.redis_url:
        lines.append(f"  Agents    {node.redis_url} (livemon's own Valkey, on this machine)")
    if not settings.redis_url or not settings.database_url:
        lines.append(f"  Data      {_short(settings.data_dir)}")
    return "\n".join([*lines, "  Stop      Ctrl-C", ""])


def _demo_words(link: str | None) -> str:
    from livemon.demo import what_to_try

    return what_to_try(link or "")


def _short(path: Path) -> str:
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)
