"""What the OpenAPI document says of looking at calls and acting on them."""

from .openapi import CALL_ID, Json, Part, acting, body, json_of, looking, ref
from .requests import ListCalls, UpdateLiveCall
from .shapes import CallList, PhoneCall, Success, WebCall

_CALL: Json = {
    "oneOf": [ref(PhoneCall), ref(WebCall)],
    "discriminator": {
        "propertyName": "call_type",
        "mapping": {"phone_call": ref(PhoneCall)["$ref"], "web_call": ref(WebCall)["$ref"]},
    },
}

PART = Part(
    {
        "/v3/list-calls": {
            "post": looking(
                {"200": {"description": "The calls that go on", "content": json_of(ref(CallList))}},
                operationId="list_calls",
                summary="List the live calls",
                description="Needs `watch`. What has ended is not in it.",
                requestBody=body(ListCalls),
            )
        },
        "/v2/get-call/{call_id}": {
            "get": looking(
                {"200": {"description": "The call", "content": json_of(_CALL)}},
                operationId="get_call",
                summary="One call, live or ended within the hour",
                description="Needs `watch`; what is said in it comes along with `read`.",
                parameters=[CALL_ID],
            )
        },
        "/v2/stop-call/{call_id}": {
            "post": acting(
                {"204": {"description": "The call is over"}},
                operationId="stop_call",
                summary="End a call",
                description="Needs `end`. Harmless on a call that has ended.",
                parameters=[CALL_ID],
            )
        },
        "/v2/update-live-call/{call_id}": {
            "patch": acting(
                {"200": {"description": "The agent's program has taken it", "content": json_of(ref(Success))}},
                operationId="update_live_call",
                summary="Give the agent context, or have it answer now",
                description="Needs `inject`. The caller does not hear it.",
                parameters=[CALL_ID],
                requestBody=body(UpdateLiveCall),
            )
        },
    },
    (ListCalls, UpdateLiveCall, CallList, PhoneCall, WebCall, Success),
)
