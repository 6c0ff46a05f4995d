"""LiveKit Agents: `watch(runtime, session, room=ctx.room, …)` puts one agent's call into livemon (docs/livekit.md).

    call = watch(job_runtime("redis://…", name="front-desk"), session, room=ctx.room, agent_name="Ada")

The session stays as it is written: its inputs and outputs are tapped (`attaching`), its events read (`recorder`), and it
is silenced when a supervisor takes the call over (`gate`). Needs `pip install livemon-runtime[livekit]`.
"""

from .job import NotInJob, job_runtime
from .watching import AlreadyWatched, OtherRoom, watch

__all__ = ["AlreadyWatched", "NotInJob", "OtherRoom", "job_runtime", "watch"]
