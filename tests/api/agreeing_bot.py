"""A bot that hands its call over, and keeps what the supervisor says."""

from livemon_runtime import Audio, Call, Runtime, Supervisor


class AgreeingBot:
    def __init__(self, runtime: Runtime) -> None:
        self.heard = bytearray()
        self.call: Call = runtime.call(call_id="call-1", audio=Audio(caller="l16/16000", agent="l16/16000"))
        self.call.on_take_over(self.meet)
        self.call.on_end(lambda: None)

    def meet(self, supervisor: Supervisor) -> None:
        supervisor.on_audio(self.heard.extend)
