"""What has become of a call, by its CallSid: it decides how Twilio goes on with it once its stream is over. Pure."""

from collections import OrderedDict
from enum import Enum

_MOST = 10_000


class Fate(Enum):
    LIVE = "live"
    LOST = "lost"
    """The stream broke off while the agent had the caller: they may have it again."""
    BOT_DONE = "bot done"
    """The bot hung up, or could not be reached: what would follow its own <Connect> follows."""
    OVER = "over"
    """Ended from livemon, or a supervisor had the caller: nobody gives them back to the bot."""


_NEXT = {
    None: {Fate.LIVE},
    Fate.LIVE: {Fate.LOST, Fate.BOT_DONE, Fate.OVER},
    Fate.LOST: {Fate.LIVE},
    Fate.BOT_DONE: {Fate.LIVE},
    Fate.OVER: set[Fate](),
}


class Fates:
    """The newest 10,000."""

    def __init__(self) -> None:
        self._fates: OrderedDict[str, Fate] = OrderedDict()

    def of(self, call_sid: str) -> Fate | None:
        return self._fates.get(call_sid)

    def become(self, call_sid: str, fate: Fate) -> bool:
        """False if that cannot come after what it is."""
        if fate not in _NEXT[self.of(call_sid)]:
            return False
        self._fates[call_sid] = fate
        self._fates.move_to_end(call_sid)
        if len(self._fates) > _MOST:
            self._fates.popitem(last=False)
        return True
