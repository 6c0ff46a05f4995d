"""The TwiML by which Twilio comes to the gateway, and by which a call goes on when its stream there is over. Pure.

After `<Connect>` Twilio goes on with the next verb, whoever closed the stream: here a `<Redirect>`, which is asked what has
become of the call. That way a call that livemon has ended, or whose supervisor has gone, is never given back to the bot.
"""

from collections.abc import Mapping
from urllib.parse import urlencode

from twilio.twiml.voice_response import Connect, Stream, VoiceResponse

STREAM, BEGIN, AFTER = "/media", "/twiml", "/twiml/after"
CALL_ID = "livemon_call_id"
"""The parameter by which a call that comes again has a row of its own: an id that has ended is never live again."""
_OWN = ("from", "to", "direction")


def through_gateway(address: str, attempt: int, parameters: Mapping[str, str], request: Mapping[str, str]) -> str:
    """`address`: the gateway's, https; `parameters` become the bot's `<Parameter>`s, with what Twilio's `request` knows."""
    response = _connect(address.replace("http", "ws", 1) + STREAM, {**_known(request), **parameters})
    more = {"attempt": str(attempt), **{name: value for name, value in parameters.items() if name != CALL_ID}}
    response.redirect(f"{address}{AFTER}?{urlencode(more)}", method="POST")
    return str(response)


def straight_to_bot(bot: str, parameters: Mapping[str, str], request: Mapping[str, str]) -> str:
    """Without the gateway: nobody sees the call, and it goes on."""
    return str(_connect(bot, {**_known(request), **parameters}))


def _connect(url: str, parameters: Mapping[str, str]) -> VoiceResponse:
    stream = Stream(url=url)
    for name, value in parameters.items():
        stream.parameter(name=name, value=value)
    connect, response = Connect(), VoiceResponse()
    connect.append(stream)
    response.append(connect)
    return response


def go_on(after: str | None) -> str:
    """What follows the bot: the address that was configured for it, else the end."""
    response = VoiceResponse()
    if after:
        response.redirect(after, method="POST")
    else:
        response.hangup()
    return str(response)


def hang_up() -> str:
    return go_on(None)


def _known(request: Mapping[str, str]) -> dict[str, str]:
    direction = "outbound" if request.get("Direction", "").startswith("outbound") else "inbound"
    known = dict(zip(_OWN, (request.get("From"), request.get("To"), direction), strict=True))
    return {name: value for name, value in known.items() if value}
