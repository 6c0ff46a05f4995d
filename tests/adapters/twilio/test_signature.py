"""Twilio's signatures: the documented vectors, the addresses that Twilio may have used, and what is refused."""

import httpx
import pytest
from twilio.request_validator import RequestValidator

from livemon_runtime import Runtime
from livemon_runtime.adapters.twilio import BadOption, Options
from livemon_runtime.adapters.twilio.options import Options as Checked
from livemon_runtime.adapters.twilio.signature import Signatures
from tests.adapters.twilio.bots import by_hand
from tests.adapters.twilio.carrier import TOKEN, calling, signed
from tests.adapters.twilio.serving import gateway
from tests.runtime.conftest import Livemon

DOCUMENTED = {
    "CallSid": "CA1234567890ABCDE",
    "Digits": "1234",
    "To": "+18005551212",
}
NETWORKS = Options(bot="wss://b/", trusted_proxies="10.0.0.0/8, 127.0.0.1").trusted


def good(token: str, address: str, signature: str, **parameters: str) -> bool:
    headers = {"X-Twilio-Signature": signature}
    return Signatures(token, None, []).good(address, headers, parameters)


@pytest.mark.parametrize(
    ("caller", "signature"),
    [("+14158675309", "RSOYDt4T1cUTdK1PDd93/VVr8B8="), ("+14158675310", "GvWf1cFY/Q7PnoempGyD5oXAezc=")],
)
def test_the_documented_vectors(caller: str, signature: str) -> None:
    """From Twilio's documentation of webhook security, today's and the one that its libraries are tested with."""
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    parameters = {**DOCUMENTED, "Caller": caller, "From": caller}
    assert good("12345", url, signature, **parameters)
    assert not good("12346", url, signature, **parameters)
    assert not good("12345", url + "&baz=3", signature, **parameters)
    assert not good("12345", url, signature, **{**parameters, "Digits": "1235"})


@pytest.mark.parametrize(
    ("used", "seen"),
    [
        ("wss://calls.example.com/media", "wss://calls.example.com/media"),
        ("wss://calls.example.com:443/media", "wss://calls.example.com/media"),
        ("wss://calls.example.com/media", "wss://calls.example.com:443/media"),
        ("wss://calls.example.com:8443/media", "wss://calls.example.com:8443/media"),
        ("https://calls.example.com/twiml?agent=Ada&x=%20", "https://calls.example.com/twiml?agent=Ada&x=%20"),
    ],
)
def test_with_and_without_a_port_and_with_a_query(used: str, seen: str) -> None:
    signature = RequestValidator(TOKEN).compute_signature(used, {})
    assert good(TOKEN, seen, signature)
    assert not good(TOKEN, seen.replace("calls", "halls"), signature)
    assert not good(TOKEN, seen, "")


def test_a_signature_by_a_shared_key_of_sha256() -> None:
    url = "wss://calls.example.com/media"
    signature = RequestValidator(TOKEN).compute_signature(url, {}, "HMAC_SHA256")
    settings = {"X-Twilio-Webhooks-Signature-Settings": "key=k,algorithm=HMAC_SHA256"}
    signatures = Signatures(TOKEN, None, [])
    assert signatures.good(url, {"X-Twilio-Signature": signature, **settings}, {})
    odd = {"X-Twilio-Webhooks-Signature-Settings": "algorithm=NONE"}
    assert not signatures.good(url, {"X-Twilio-Signature": "", **odd}, {})


FORWARDED = {"Host": "10.0.0.7:8090", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "calls.example.com"}


@pytest.mark.parametrize(
    ("public", "peer", "address"),
    [
        ("https://phones.example.com/gw", "8.8.8.8", "https://phones.example.com/gw/media?a=1"),
        (None, "10.2.3.4", "https://calls.example.com/media?a=1"),
        (None, "8.8.8.8", "http://10.0.0.7:8090/media?a=1"),
        (None, None, "http://10.0.0.7:8090/media?a=1"),
    ],
    ids=["public", "trusted proxy", "a stranger", "nobody"],
)
def test_the_address_is_the_configured_one_or_a_trusted_proxys_word(public: str, peer: str, address: str) -> None:
    assert Signatures(TOKEN, public, NETWORKS).address("/media?a=1", FORWARDED, peer, secure=False) == address


@pytest.mark.parametrize("headers", [{}, signed("ws://127.0.0.1:1/media"), {"X-Twilio-Signature": "x" * 28}])
async def test_a_wrong_signature_is_refused_before_anything_else(
    livemon: Livemon, runtime: Runtime, headers: dict[str, str]
) -> None:
    from websockets.asyncio.client import connect
    from websockets.exceptions import InvalidStatus

    async with by_hand() as server, gateway(runtime, server.url) as serving:
        with pytest.raises(InvalidStatus) as refused:
            async with connect(f"ws://127.0.0.1:{serving.port}/media", additional_headers=headers):
                pass
        assert refused.value.response.status_code == 403
        assert server.made.empty()
    assert runtime.counters["twilio_signature"] == 1
    assert await livemon.listed() == []


async def test_insecure_lets_everybody_in(livemon: Livemon, runtime: Runtime) -> None:
    async with (
        by_hand() as server,
        gateway(runtime, server.url, auth_token=None, insecure=True) as serving,
        calling(serving.port),
    ):
        await server.bot()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"bot": "https://bot"}, "--bot"),
        ({"bot": "wss://"}, "--bot"),
        ({"auth_token": None}, "LIVEMON_TWILIO_AUTH_TOKEN"),
        ({"auth_token": ""}, "--insecure"),
        ({"api_key": "SK1"}, "LIVEMON_TWILIO_API_KEY"),
        ({"public_url": "wss://x"}, "--public-url"),
        ({"after": "calls"}, "--after"),
        ({"direction": "sideways"}, "--direction"),
        ({"trusted_proxies": "all of them"}, "--trusted-proxies"),
    ],
)
def test_options_that_cannot_be_used_are_named(more: dict[str, str], named: str) -> None:
    with pytest.raises(BadOption, match=named):
        Checked(**{"bot": "wss://bot.example.com/ws", "auth_token": TOKEN, **more}).check()


def test_no_secret_is_in_what_is_printed_of_the_options() -> None:
    said = repr(Options(bot="wss://b/", auth_token="t0ken", api_key="SK", api_secret="s3cret"))
    assert "t0ken" not in said
    assert "s3cret" not in said


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/x-www-form-urlencoded", b"\xff\xfe%%%&=&"),
        ("application/x-www-form-urlencoded; charset=nope", b"a=b"),
        ("multipart/form-data", b"no boundary"),
        ("multipart/form-data; boundary=zz", b"no part"),
    ],
)
async def test_a_strangers_form_that_is_none_is_refused_like_any_other(
    livemon: Livemon, runtime: Runtime, kind: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with gateway(runtime, "wss://bot.example.com/ws") as serving, httpx.AsyncClient() as client:
        for path in ("/twiml", "/twiml/after"):
            address = f"http://127.0.0.1:{serving.port}{path}"
            answer = await client.post(address, content=body, headers={"Content-Type": kind})
            assert answer.status_code == 403
    assert "Traceback" not in caplog.text


async def test_a_signed_request_with_an_absurd_attempt_is_answered(livemon: Livemon, runtime: Runtime) -> None:
    async with gateway(runtime, "wss://bot.example.com/ws") as serving, httpx.AsyncClient() as client:
        address = f"http://127.0.0.1:{serving.port}/twiml/after?attempt={'9' * 5000}"
        assert (await client.post(address, headers=signed(address))).status_code == 200
