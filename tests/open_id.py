"""An OpenID Connect provider of the tests' own, on real HTTP: whatever it says may be made false.

`authorize` stands for its sign-in page: it takes the address to which a browser was sent, and gives the one that the
browser is sent back to. Codes, secrets and PKCE are checked as a provider does.
"""

import base64
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import uvicorn
from joserfc import jws
from joserfc.jwk import ECKey, RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from livemon.access.oidc.provider_settings import ProviderSettings
from livemon.store.instants import utc_now

CLIENT = "livemon"
SECRET = "its secret: 100% & more"
LOGOUT_EVENT = "http://schemas.openid.net/event/backchannel-logout"

Forge = Callable[[dict[str, Any], dict[str, Any]], str]


@cache
def rsa(kid: str) -> RSAKey:
    """A private key by that name; the same in the whole run, for making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


def signed(header: dict[str, Any], claims: dict[str, Any], key: Any = None) -> str:
    """A token, signed by whatever its header says."""
    payload = json.dumps(claims).encode()
    return jws.serialize_compact(header, payload, key or rsa("k1"), algorithms=[header["alg"]])


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: str = "") -> str:
    parts = [json.dumps(each).encode() for each in (header, claims)]
    return ".".join([*(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts), signature])


@dataclass
class OpenId:
    """A provider that runs; change its fields to have it say something else."""

    port: int
    claims: dict[str, Any] = field(default_factory=lambda: {"sub": "ada", "name": "Ada", "email": "ada@example.org"})
    """Of whoever signs in next."""
    keys: list[RSAKey | ECKey] = field(default_factory=lambda: [rsa("k1")])
    forge: Forge = signed
    more_claims: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
    """Changes the ID token's claims before they are signed."""
    userinfo: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)
    """Put over what it says of itself."""
    token_status: int = 200
    asked: Counter[str] = field(default_factory=Counter)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"http://localhost:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """For a livemon that has it as its provider `own`."""
        own = {
            "ISSUER": self.issuer,
            "CLIENT_ID": CLIENT,
            "CLIENT_SECRET": SECRET,
            "NAME": "Our own",
            "ADMINS": "bosses",
        }
        return {f"LIVEMON_OIDC__OWN__{name}": value for name, value in own.items()}

    def settings(self, **more: Any) -> ProviderSettings:
        known = {"issuer": self.issuer, "client_id": CLIENT, "client_secret": SECRET}
        return ProviderSettings.model_validate({**known, **more})

    def authorize(self, url: str, **instead: str | None) -> str:
        """The person signs in: where the browser goes then. `instead` replaces parameters of the answer, None drops them."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(f"{self.issuer}/authorize?")
        assert asked["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        answer = {"code": code, "state": asked["state"], "iss": self.issuer} | instead
        return f"{asked['redirect_uri']}?{urlencode({k: v for k, v in answer.items() if v is not None})}"

    def logout_token(self, forge: Forge = signed, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """One that says that Ada has signed out; None as a value leaves that claim out."""
        now = int(utc_now().timestamp())
        said = {
            **{"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "sub": "ada"},
            "jti": f"logout-{base64.b64encode(sha256(repr((now, claims, len(self.codes))).encode()).digest()).decode()}",
            "events": {LOGOUT_EVENT: {}},
            **claims,
        }
        said = {name: value for name, value in said.items() if value is not None}
        return forge({"alg": "RS256", "kid": "k1", "typ": "logout+jwt", **(header or {})}, said)

    # ---- what it serves

    async def configuration(self, _request: Request) -> Response:
        self.asked["configuration"] += 1
        paths = ("authorization_endpoint", "authorize"), ("token_endpoint", "token"), ("jwks_uri", "keys")
        more = ("userinfo_endpoint", "userinfo"), ("end_session_endpoint", "end")
        said: dict[str, Any] = {name: f"{self.issuer}/{path}" for name, path in (*paths, *more)}
        return JSONResponse({"issuer": self.issuer, **said, **self.metadata})

    async def jwks(self, _request: Request) -> Response:
        self.asked["keys"] += 1
        return JSONResponse({"keys": [key.as_dict(private=False) for key in self.keys]})

    async def page(self, request: Request) -> Response:
        """Its sign-in page, which asks nothing."""
        return RedirectResponse(self.authorize(str(request.url)), 303)

    async def token(self, request: Request) -> Response:
        self.asked["token"] += 1
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        asked = self.codes.pop(form["code"], None)
        encoded = base64.b64encode(b"livemon:its+secret%3A+100%25+%26+more").decode()
        if self.token_status != 200:
            return Response(status_code=self.token_status)
        in_form = "client_secret_post" in self.metadata.get("token_endpoint_auth_methods_supported", ())
        if in_form and (form.get("client_id"), form.get("client_secret")) != (CLIENT, SECRET):
            return JSONResponse({"error": "invalid_client"}, 401)
        if not in_form and request.headers.get("authorization") != f"Basic {encoded}":
            return JSONResponse({"error": "invalid_client"}, 401)
        challenge = base64.urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).decode().rstrip("=")
        if asked is None or challenge != asked["code_challenge"] or form["redirect_uri"] != asked["redirect_uri"]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        now = int(utc_now().timestamp())
        said = {"iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.claims}
        id_token = self.forge({"alg": "RS256", "kid": "k1", "typ": "JWT"}, self.more_claims(said))
        return JSONResponse({"access_token": "the-access-token", "token_type": "Bearer", "id_token": id_token})

    async def user(self, request: Request) -> Response:
        self.asked["userinfo"] += 1
        if request.headers.get("authorization") != "Bearer the-access-token":
            return Response(status_code=401)
        return JSONResponse({**self.claims, **self.userinfo})

    @property
    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/.well-known/openid-configuration", self.configuration),
                Route("/keys", self.jwks),
                Route("/authorize", self.page),
                Route("/token", self.token, methods=["POST"]),
                Route("/userinfo", self.user),
            ]
        )


@contextmanager
def open_id() -> Generator[OpenId]:
    """A provider that runs, in a thread of its own, as long as the block lasts; `reset` makes it as good as new."""
    config = uvicorn.Config(Starlette(), host="127.0.0.1", port=0, log_level="warning", lifespan="off")
    server = uvicorn.Server(config)
    config.load()
    socket = config.bind_socket()
    provider = OpenId(socket.getsockname()[1])
    config.loaded_app = provider.app
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield provider
    finally:
        server.should_exit = True
        thread.join()
        socket.close()


def reset(provider: OpenId) -> OpenId:
    """The same provider, which knows nothing of what a test has told it."""
    provider.__init__(provider.port)
    return provider
