"""`livemon add-workspace` and `livemon workspaces`: several groups of people and calls in one deployment, each sealed off."""

from typing import TYPE_CHECKING, Annotated

import typer

from livemon.command import with_store

if TYPE_CHECKING:
    from livemon.access.workspaces import Named
    from livemon.settings import Settings
    from livemon.store.store import Store


def add_workspace(
    slug: Annotated[str, typer.Argument(help="Its name in addresses and for agents: 1 to 64 of a-z, 0-9 and -.")],
    name: Annotated[str, typer.Option(help="Its name for people; the slug unless said.")] = "",
) -> None:
    """Make a workspace: people and calls of its own, which no other sees. Nodes that run have it within seconds."""
    from livemon.access.workspaces import add_workspace as add
    from livemon.store.audit.log import AuditLog

    async def make(settings: "Settings", store: "Store") -> None:
        log = AuditLog(store, settings.audit_key)
        await log.open()
        await add(store, slug, name=name, audit=log)

    with_store(make)
    typer.echo(
        f"The workspace {slug} is there.\n\n"
        f"  People    livemon sign-in-link --workspace {slug} --name NAME\n"
        f'  Agents    Runtime(url, workspace="{slug}")\n'
    )


def workspaces() -> None:
    """List the workspaces: slug, name, and how many people belong to each."""
    from livemon.access.workspaces import all_workspaces

    async def read(_settings: "Settings", store: "Store") -> "list[Named]":
        return await all_workspaces(store)

    found = with_store(read)
    width = max(len(one.slug) for one in found)
    for one in found:
        people = "1 member" if one.members == 1 else f"{one.members} members"
        typer.echo(f"{one.slug:<{width}}  {one.name} ({people})")
