"""`livemon bench …`: figures that anyone can measure again, as ratios against rivals in the same run."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any, TypeVar

import typer

from livemon.bench.errors import BenchError

T = TypeVar("T")

bench = typer.Typer(no_args_is_help=True, help="Measure livemon on this machine, against rivals in the same run.")


def _run(work: Coroutine[Any, Any, T]) -> T:
    try:
        return asyncio.run(work)
    except BaseExceptionGroup as group:
        first, *_ = group.exceptions
        if isinstance(first, BenchError):
            _fail(first)
        raise
    except BenchError as error:
        _fail(error)
        raise


def _fail(error: BenchError) -> None:
    typer.secho(str(error), fg=typer.colors.RED, err=True)
    raise typer.Exit(1)


@bench.command("list")
def call_list(
    calls: Annotated[int, typer.Option(min=10, help="Live calls.")] = 5_000,
    changes: Annotated[int, typer.Option(min=1, help="Changes a second.")] = 500,
    pages: Annotated[int, typer.Option(min=2, help="Open pages (one is a real Chromium).")] = 50,
    seconds: Annotated[float, typer.Option(min=1)] = 20.0,
    rivals: Annotated[bool, typer.Option(help="Measure the rivals too.")] = True,
) -> None:
    """Event in Redis → row on the screen."""
    from livemon.bench import call_list as measured

    plan = measured.Plan(calls, changes, pages, seconds)
    results = _run(measured.run(plan, rivals, typer.echo))
    typer.echo(measured.report(results, plan))


@bench.command()
def transcript(
    turns: Annotated[int, typer.Option(min=1, help="Turns to append, ten a second.")] = 200,
    rivals: Annotated[bool, typer.Option(help="Measure the rival too.")] = True,
) -> None:
    """Turn in Redis → bubble on the screen."""
    from livemon.bench import transcript as measured

    typer.echo(measured.report(_run(measured.run(turns, rivals, typer.echo))))


@bench.command()
def listen(clicks: Annotated[int, typer.Option(min=1)] = 30) -> None:
    """Click on Live Listen → first sound."""
    from livemon.bench import listen as measured

    typer.echo(measured.report(_run(measured.run(clicks, typer.echo))))


@bench.command()
def listeners(
    most: Annotated[int, typer.Option(min=1, max=1_000, help="Listeners in the end.")] = 400,
    calls: Annotated[int, typer.Option(min=1, help="Calls that they are spread over.")] = 4,
    seconds: Annotated[float, typer.Option(min=1, help="How long each number is measured.")] = 10.0,
    rivals: Annotated[bool, typer.Option(help="Measure the rivals too.")] = True,
) -> None:
    """What each listener costs, and from how many on packets are late."""
    from livemon.bench import listeners as measured

    typer.echo(measured.report(_run(measured.run(measured.Plan(most, calls, seconds), rivals, typer.echo))))


@bench.command("take-over")
def take_over(rounds: Annotated[int, typer.Option(min=1, help="Calls to take over.")] = 20) -> None:
    """Microphone granted → talking; mouth → runtime; caller → ear."""
    from livemon.bench import take_over as measured

    typer.echo(measured.report(_run(measured.run(rounds, typer.echo))))


@bench.command()
def pipecat(
    calls: Annotated[int, typer.Option(min=1, help="Bots at once, in one process.")] = 5,
    seconds: Annotated[float, typer.Option(min=1, help="How long each round is.")] = 20.0,
    rounds: Annotated[int, typer.Option(min=1)] = 7,
) -> None:
    """What livemon costs a Pipecat bot while nobody listens."""
    from livemon.bench import pipecat as measured

    typer.echo(measured.report(_run(measured.run(calls, seconds, rounds, typer.echo))))


@bench.command()
def livekit(
    calls: Annotated[int, typer.Option(min=1, help="Agents at once, in one process.")] = 10,
    seconds: Annotated[float, typer.Option(min=1, help="How long each is measured.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """What livemon costs a LiveKit agent while nobody listens."""
    from livemon.bench import livekit as measured

    typer.echo(measured.report(_run(measured.run(calls, seconds, rounds, typer.echo))))


@bench.command()
def twilio(
    calls: Annotated[int, typer.Option(min=1, help="Calls at once.")] = 20,
    seconds: Annotated[float, typer.Option(min=1, help="How long each is measured.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
) -> None:
    """What the Twilio gateway costs a call while nobody listens."""
    from livemon.bench import twilio as measured

    typer.echo(measured.report(_run(measured.run(calls, seconds, rounds, typer.echo))))


@bench.command()
def sdk(
    calls: Annotated[int, typer.Option(min=1, help="Calls at once, in one process.")] = 10,
    seconds: Annotated[float, typer.Option(min=1, help="How long each is measured.")] = 10.0,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    stopped: Annotated[float, typer.Option(min=1, help="For how many seconds Redis is stopped.")] = 60.0,
) -> None:
    """What the SDK costs a bot, and whether it ever holds it up."""
    from livemon.bench import sdk as measured

    typer.echo(measured.report(_run(measured.run(calls, seconds, rounds, stopped, typer.echo))))
