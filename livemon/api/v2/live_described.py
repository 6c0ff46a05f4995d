"""What the OpenAPI document says of listening and taking over. Sockets cannot be said in one: docs/api.md has them."""

from .openapi import CALL_ID, Part, body, doing, json_of, ref
from .shapes import LiveListener, Success, TakeOverLiveCall

PART = Part(
    {
        "/v2/listen-live-call/{call_id}": {
            "post": doing(
                {"200": {"description": "Where, and with which token", "content": json_of(ref(LiveListener))}},
                operationId="listen_live_call",
                summary="Ask for a token to hear a call",
                description="Needs `listen`. Nothing is heard, and nobody listed, before the token is used at `url`.",
                parameters=[CALL_ID],
            )
        },
        "/v2/take-over-live-call/{call_id}": {
            "post": doing(
                {
                    "200": {
                        "description": "The agent's program has handed the call over",
                        "content": json_of(ref(Success)),
                    }
                },
                operationId="take_over_live_call",
                summary="Take a call over, for a participant whose microphone livemon hears",
                description="Needs `take_over`. The answer comes once it is known who has the call.",
                parameters=[CALL_ID],
                requestBody=body(TakeOverLiveCall, required=True),
            )
        },
    },
    (LiveListener, Success, TakeOverLiveCall),
)
