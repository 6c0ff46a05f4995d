"""`watch`: one Pipecat bot's call in livemon. What livemon asks of the bot is answered here."""

from collections.abc import Iterable
from typing import Any

from pipecat.frames.frames import InterruptionFrame, LLMMessagesAppendFrame, LLMRunFrame
from pipecat.processors.frame_processor import FrameProcessor
from pipecat.services.ai_service import AIService
from pipecat.services.llm_service import LLMService
from pipecat.services.stt_service import STTService
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import BaseTransport

from ...call import Call
from ...errors import LivemonError, Refusal
from ...protocol import Audio, InjectCommand
from ...runtime import Runtime
from ...supervisor import Supervisor
from ..audio import codec_for
from .audio import SupervisorVoice, Voice
from .ending import Ending
from .flow import follow
from .gate import Gate
from .internals import FLOW, HEARING, OUTPUT, TRANSPORT, WORKER, idle_event_of, params_of, require
from .recorder import Recorder
from .taps import Notes, tap, within


class NotInPipeline(LivemonError, ValueError):
    """The transport that was given does not carry this pipeline's call. `part` says which half is missing."""

    def __init__(self, part: str) -> None:
        super().__init__(
            f"the pipeline has no transport.{part}(): livemon would neither hear this call nor be able to silence the agent. "
            "Give watch() the transport whose input() and output() stand in the worker's pipeline"
        )
        self.part = part


def watch(
    runtime: Runtime,
    worker: Any,
    transport: BaseTransport,
    *,
    flow: Any = None,
    models: Iterable[FrameProcessor] = (),
    **fields: Any,
) -> Call:
    """Put the call of `worker` (a PipelineWorker that does not run yet) into livemon, and end it there when it is over.

    `flow`: a pipecat-flows FlowManager, for its node transitions. `models`: processors that make the agent speak and are
    no services of Pipecat's, to be silenced with them. `fields` are those of `Runtime.call`. Raises `NotInPipeline`, or
    `UnsupportedPipecat` if this version of Pipecat lacks what silencing the agent takes; nothing is touched then.
    """
    require((worker, WORKER), (transport, TRANSPORT))
    processors = list(within(worker.pipeline))
    hearing, output = transport.input(), transport.output()
    if hearing not in processors:
        raise NotInPipeline("input")
    if output not in processors or not isinstance(output, BaseOutputTransport):
        raise NotInPipeline("output")
    require((hearing, HEARING), (output, OUTPUT), *([(flow, FLOW)] if flow is not None else []))
    fields["audio"] = audio = _audio(worker, hearing, output)
    call = runtime.call(**fields)
    recorder = Recorder(
        call, runtime.drops, Voice(call.caller_audio, audio.caller), Voice(call.agent_audio, audio.agent)
    )
    _record(recorder, hearing, output, processors)
    ours = [*(one for one in processors if isinstance(one, AIService) and not isinstance(one, STTService)), *models]
    gate = Gate(call, ours, output)
    ending = Ending(call, worker, transport, recorder.end)
    _obey(call, worker, gate, ending, SupervisorVoice(output, gate, audio.agent))
    if flow is not None:
        follow(call, flow)
    return call


def _audio(worker: Any, hearing: FrameProcessor, output: FrameProcessor) -> Audio:
    """The voices at the rates that the transport will have once it is set up."""
    caller = params_of(hearing).audio_in_sample_rate or worker.params.audio_in_sample_rate
    agent = params_of(output).audio_out_sample_rate or worker.params.audio_out_sample_rate
    return Audio(caller=codec_for(caller), agent=codec_for(agent), supervisor=codec_for(agent))


def _record(
    recorder: Recorder, hearing: FrameProcessor, output: FrameProcessor, processors: Iterable[FrameProcessor]
) -> None:
    tap(hearing, recorder.of_input())
    tap(output, recorder.of_output())
    kinds: list[tuple[type, Notes]] = [(LLMService, recorder.of_model()), (STTService, recorder.of_hearing())]
    for processor in processors:
        for kind, notes in kinds:
            if isinstance(processor, kind):
                tap(processor, notes)


def _obey(call: Call, worker: Any, gate: Gate, ending: Ending, voice: SupervisorVoice) -> None:
    idle = idle_event_of(worker)

    @call.on_end
    async def _() -> None:
        await worker.cancel(reason="ended from livemon")

    @call.on_inject
    async def _(command: InjectCommand) -> None:
        if call.agent_silent:
            raise Refusal("A supervisor has the caller: the agent is silent and takes no hints.")
        if not command.content:
            await worker.queue_frame(LLMRunFrame())
            return
        hint: Any = {"role": "developer", "content": command.content}
        await worker.queue_frame(LLMMessagesAppendFrame([hint], run_llm=command.trigger_response))

    async def play(frame: bytes) -> None:
        idle.set()  # else a caller who only listens would be hung up on
        await voice.play(frame)

    @call.on_take_over
    def _(supervisor: Supervisor) -> None:
        if ending.goes:
            raise Refusal("The agent has ended the call and says its last words: it cannot be kept from hanging up.")
        supervisor.hold_tone = True
        supervisor.on_audio(play)

    @call.on_agent_silenced
    async def _(silent: bool) -> None:
        if silent:
            await worker.queue_frame(InterruptionFrame())
            await gate.close()
        else:
            gate.open()
