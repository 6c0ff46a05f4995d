"""The command `livemon-runtime`: `conform` checks a runtime, in whatever language, against docs/protocol.md."""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from importlib.metadata import version

from redis.exceptions import RedisError

from .conform.course import NoCall, SeveralRuntimes, Wanted, examine
from .conform.emptying import ForeignKeys
from .conform.rules import GROUPS
from .errors import LivemonError

_EPILOG = """\
Start your runtime on an empty Redis or Valkey, with a call that lasts two minutes and in which both voices speak, and a
second one after it. It is listened to, given hints, taken over, and ended. exit code: 0 nothing is broken, 1 something
is, 2 it could not be tried."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="livemon-runtime", description="Beside a voice agent: livemon's runtime SDK.")
    parser.add_argument("--version", action="version", version=f"livemon-runtime {version('livemon-runtime')}")
    commands = parser.add_subparsers(dest="command", required=True)
    conform = commands.add_parser(
        "conform", help="check a runtime against the protocol, from outside", description=__doc__, epilog=_EPILOG
    )
    add = conform.add_argument
    add("--redis", metavar="URL", default="redis://127.0.0.1:6379/0", help="where the runtime and livemon meet")
    add("--workspace", default="default", help="its slug (default: default)")
    add("--runtime", metavar="ID|NAME", default="", help="whose calls to look at (default: the only one's)")
    add("--call", metavar="ID", default="", help="which call to look at first (default: the newest)")
    add(
        "--only",
        metavar="GROUP",
        action="append",
        choices=list(GROUPS),
        help=f"one of {', '.join(GROUPS)}; may be repeated",
    )
    add("--refused-user", metavar="USER", default="", help="a user id whose take-over this runtime refuses")
    add("--wait", metavar="SECONDS", type=float, default=60.0, help="how long to wait for each call (default: 60)")
    add(
        "--destructive",
        action="store_true",
        help="also EMPTY the database, and see that the runtime makes it whole again",
    )
    add("--json", action="store_true", help="print JSON instead of a table")
    return parser


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse, run, print, exit."""
    given = _parser().parse_args(arguments)
    wanted = Wanted(
        workspace=given.workspace,
        runtime=given.runtime,
        call_id=given.call,
        groups=tuple(group for group in GROUPS if group in given.only) if given.only else tuple(GROUPS),
        refused_user=given.refused_user,
        destructive=given.destructive,
        wait_s=given.wait,
    )
    try:
        report = asyncio.run(examine(given.redis, wanted, _say))
    except NoCall:
        _fail(
            f"No live call that its agent has appeared in workspace {wanted.workspace!r} within {wanted.wait_s:.0f} s. "
            "Start your runtime on this Redis, let it announce a call, and run this again (--wait waits longer)."
        )
    except (RedisError, OSError, TimeoutError) as error:
        _fail(
            f"Redis failed ({str(error) or type(error).__name__}), so the examination broke off and says nothing. "
            "See that it runs and that --redis has its address and password, then run this again."
        )
    except (ForeignKeys, SeveralRuntimes, LivemonError, ValueError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        _fail("Stopped. What was asked of the runtime so far has its effect there.")
    else:
        print(report.json() if given.json else report.table())  # noqa: T201
        sys.exit(0 if report.good else 1)


def _say(step: str) -> None:
    print(f"… {step}", file=sys.stderr, flush=True)  # noqa: T201


def _fail(words: str) -> None:
    print(words, file=sys.stderr)  # noqa: T201
    sys.exit(2)
