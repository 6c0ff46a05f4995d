"""`livemon gateway twilio`: a program of its own beside livemon, between Twilio and a bot (docs/twilio.md)."""

import asyncio
import signal
from typing import TYPE_CHECKING, Annotated

import typer

from livemon.command import fail
from livemon.command import run as _run

if TYPE_CHECKING:
    from livemon.gateway_settings import GatewaySettings
    from livemon_runtime.adapters.hearing import Engine
    from livemon_runtime.adapters.twilio.options import Options

gateway = typer.Typer(no_args_is_help=True, help="Put calls into livemon whose bot cannot be changed.")

_Text = Annotated[str | None, typer.Option(show_default=False)]


@gateway.callback()
def several() -> None:
    """Put calls into livemon whose bot cannot be changed."""


@gateway.command()
def twilio(
    bot: Annotated[str | None, typer.Option(help="The bot's own stream: wss://…", show_default=False)] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on (127.0.0.1).", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on (8090).", show_default=False)] = None,
    public_url: Annotated[
        str | None, typer.Option(help="Where Twilio reaches this: https://…", show_default=False)
    ] = None,
    after: Annotated[
        str | None, typer.Option(help="TwiML to go on with once the bot has hung up: https://…", show_default=False)
    ] = None,
    agent_name: Annotated[str | None, typer.Option(help="The agent's name in livemon.", show_default=False)] = None,
    direction: Annotated[
        str | None, typer.Option(help="inbound or outbound, if the calls do not say it.", show_default=False)
    ] = None,
    workspace: Annotated[str | None, typer.Option(help="Of which workspace the calls are.", show_default=False)] = None,
    stt: Annotated[
        str | None, typer.Option(help="Speech-to-text: pocketsphinx, module:function, none (none).", show_default=False)
    ] = None,
    max_calls: Annotated[int | None, typer.Option(help="Calls at a time (200).", show_default=False)] = None,
    drain: Annotated[
        float | None, typer.Option(help="Seconds that calls have to end after SIGTERM (60).", show_default=False)
    ] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Do not look at Twilio's signatures: for a closed network.")
    ] = False,
) -> None:
    """Stand between Twilio Media Streams and a bot, which stays as it is. Secrets: LIVEMON_TWILIO_AUTH_TOKEN, …"""
    from livemon import logs
    from livemon.gateway_settings import GatewaySettings
    from livemon_runtime.errors import LivemonError

    given = {
        "twilio_bot": bot,
        "twilio_host": host,
        "twilio_port": port,
        "twilio_public_url": public_url,
        "twilio_after": after,
        "twilio_agent_name": agent_name,
        "twilio_direction": direction,
        "twilio_workspace": workspace,
        "twilio_stt": stt,
        "twilio_max_calls": max_calls,
        "twilio_drain": drain,
    }
    try:
        settings = GatewaySettings.read(given)
        options = settings.options(insecure=insecure)
        logs.configure(settings.log_level, settings.log_format)
        _run(_serve(settings, options))
    except (LivemonError, OSError, ValueError) as error:
        fail(error)


async def _serve(settings: "GatewaySettings", options: "Options") -> None:
    from livemon_runtime import Runtime
    from livemon_runtime.adapters.twilio import Gateway

    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    engine = _engine(options.stt)
    runtime = Runtime(settings.redis, name="twilio-gateway", workspace=settings.twilio_workspace)
    try:
        async with runtime, Gateway(options, runtime, settings.redis, engine) as serving:
            typer.echo(_words(settings, options, serving.port))
            await stop.wait()
            await serving.drain(settings.twilio_drain, typer.echo)
    finally:
        if engine is not None:
            await engine.close()


def _engine(name: str) -> "Engine | None":
    """Raises a `HearingError` that says what to do."""
    from livemon_runtime.adapters.hearing import open_engine

    return None if name == "none" else open_engine(name)


def _words(settings: "GatewaySettings", options: "Options", port: int) -> str:
    address = (options.public_url or f"http://{options.host}:{port}").rstrip("/")
    end = (
        "Twilio's REST API"
        if options.credentials
        else "closing the stream: there are no credentials for Twilio's REST API"
    )
    lines = [
        f"livemon's Twilio gateway listens on {options.host}:{port}",
        "",
        f"  Bot       {options.bot_shown}",
        f'  Twilio    {address}/twiml answers the TwiML of a call; or <Stream url="{address.replace("http", "ws", 1)}/media">',
        f"  Redis     {settings.redis.rsplit('@', 1)[-1]}",
        f"  End       by {end}",
    ]
    if not options.auth_token:
        lines.append("  WARNING   --insecure: whoever reaches this can pretend to be Twilio")
    return "\n".join([*lines, ""])
