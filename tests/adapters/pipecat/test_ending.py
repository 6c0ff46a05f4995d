"""A bot that ends a call: not one that a supervisor has, and one that is ending already no supervisor is given."""

import pytest
from pipecat.frames.frames import EndFrame, Frame, StopFrame, TTSSpeakFrame

from livemon.control.claim_scripts import Asking, ClaimScripts
from livemon_runtime import Runtime
from tests.adapters.pipecat.bot import Setting, answering
from tests.adapters.pipecat.test_record import reason
from tests.adapters.pipecat.test_take_over import over
from tests.adapters.supervising import take_over, talking
from tests.runtime.conftest import Livemon, eventually


@pytest.mark.parametrize("last", [EndFrame, StopFrame])
async def test_the_bot_cannot_end_a_call_that_a_supervisor_has_and_ends_once_the_caller_has_gone(
    livemon: Livemon, runtime: Runtime, last: type[Frame]
) -> None:
    async with answering(runtime, Setting(leaves_with_the_caller=False)) as bot:
        await take_over(livemon, runtime, bot)
        await bot.worker.queue_frame(last())
        async with talking(livemon, bot):
            await eventually(lambda: over(lambda: bot.caller.supervisor > 20))
        assert not bot.call.ended
        assert bot.caller.socket
        await bot.caller.socket.close()
        await eventually(lambda: reason(livemon, "user_hangup"))
        await eventually(lambda: over(bot.worker.has_finished))


async def test_a_bot_that_says_its_last_words_cannot_be_taken_over_any_more_and_the_supervisor_reads_why(
    livemon: Livemon, runtime: Runtime
) -> None:
    """Its pipeline ends when they were played, and nothing in Pipecat keeps it from that."""
    async with answering(runtime) as bot:
        await eventually(lambda: livemon.call("c-1"))
        await bot.worker.queue_frames([TTSSpeakFrame("Good bye then. " * 12), EndFrame()])
        await eventually(lambda: over(lambda: bot.caller.bot > 20))
        scripts = ClaimScripts(livemon.redis, livemon.keys)
        await scripts.claim(Asking("c-1", "u-1", "Grace", "k-1", "c-k-1", 30_000, 2**52), runtime.runtime_id)
        (told,) = await eventually(lambda: livemon.results("c-k-1"))
        assert not told["ok"]
        assert "last words" in told["error"]["message"]
        await bot.worker.cancel()
