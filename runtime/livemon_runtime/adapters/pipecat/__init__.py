"""Pipecat: `watch(runtime, worker, transport, …)` puts one bot's call into livemon (docs/pipecat.md).

    call = watch(runtime, worker, transport, agent_name="Ada")

The pipeline stays as it is written: the parts that are found in it are tapped (`recorder`), and closed when a supervisor
takes the call over (`gate`). Needs `pip install livemon-runtime[pipecat]`.
"""

from .audio import SupervisorAudioFrame
from .internals import UnsupportedPipecat
from .watching import NotInPipeline, watch

__all__ = ["NotInPipeline", "SupervisorAudioFrame", "UnsupportedPipecat", "watch"]
