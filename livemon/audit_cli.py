"""`livemon audit …`: whether the audit log is whole, and a new key for one whose key is lost."""

from typing import TYPE_CHECKING, Annotated

import typer

from livemon.command import with_store

if TYPE_CHECKING:
    from livemon.settings import Settings
    from livemon.store.audit.examination import Report
    from livemon.store.store import Store

audit = typer.Typer(no_args_is_help=True, help="The audit log: see whether it was tampered with.")


@audit.command()
def verify(
    witness: Annotated[
        list[str] | None, typer.Option(help="NUMBER:HASH, which an earlier run has printed as the end of the log.")
    ] = None,
) -> None:
    """Read the whole log, and say where it was tampered with; exit code 1 then. It may run while livemon does."""
    from livemon.store.audit import verification
    from livemon.store.audit.key import read_key
    from livemon.store.audit.log import read_witness
    from livemon.store.audit.witness import parse

    async def examine(settings: "Settings", store: "Store") -> "Report":
        witnesses = [parse(text) for text in witness or []]
        if own := read_witness(settings.audit_key):
            witnesses.append(own)
        return await verification.verify(store, read_key(settings.audit_key), witnesses)

    report = with_store(examine)
    typer.echo("\n".join(verification.told(report)))
    if not report.whole:
        raise typer.Exit(1)


@audit.command("renew-key")
def renew_key() -> None:
    """Seal the log with a new key, if its own is lost for good. Stop livemon's nodes before, and verify it first."""
    from livemon.store.audit import verification

    async def renew(settings: "Settings", store: "Store") -> bool:
        return await verification.renew_key(store, settings.audit_key)

    if with_store(renew):
        typer.echo("The audit log is sealed with a new key from here on. Copy audit.key to every node's data folder.")
    else:
        typer.echo("The key is there, and it is the right one: nothing was changed.")
