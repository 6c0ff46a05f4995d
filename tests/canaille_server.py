"""A real identity provider, canaille, with four people and livemon as its client.

`python -m tests.canaille_server PORT URL KEY`: URL is livemon's address, KEY the file with the key that it signs by.
Everybody's password is PASSWORD; the groups say who is what.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

PASSWORD = "correct horse battery staple"
CLIENT, SECRET = "livemon", "a-secret-of-the-tests"
PEOPLE = {
    "ada": ("Ada Lovelace", "ada@example.org", "supervisors-in-chief"),
    "grace": ("Grace Hopper", "grace@example.org", "supervisors"),
    "mel": ("Mel Kaye", "mel@example.org", None),
    "eve": ("Eve Smith", "eve@elsewhere.example", "supervisors-in-chief"),
}


def configuration(port: int, livemon: str, key: dict[str, Any]) -> dict[str, Any]:
    return {
        "SECRET_KEY": "nobody else's",
        "ENV_FILE": None,
        "PREFERRED_URL_SCHEME": "http",
        "SERVER_NAME": f"localhost:{port}",
        "SESSION_COOKIE_NAME": "canaille",  # hosts share cookies whatever their ports are
        "CANAILLE": {
            "DATABASE": "memory",
            "JAVASCRIPT": False,
            "TIMEZONE": "UTC",
            "ACL": {"DEFAULT": {"PERMISSIONS": ["use_oidc"]}},
        },
        "CANAILLE_OIDC": {"ACTIVE_JWKS": [key], "TRUSTED_DOMAINS": [urlsplit(livemon).hostname]},
    }


def mend() -> None:
    """canaille 0.3.6 keeps things in memory well, but finds what fits one of several conditions where all are asked.

    With two codes under way for one client it would take either for the other.
    """
    from canaille.backends.memory.backend import MemoryBackend, listify

    found_by_any = MemoryBackend.do_query

    def do_query(self: Any, model: Any, *args: Any, **wanted: Any) -> list[Any]:
        def fits(instance: Any) -> bool:
            return all(
                set(model.serialize(listify(value))) & set(model.serialize(listify(getattr(instance, name))))
                for name, value in wanted.items()
            )

        return [each for each in found_by_any(self, model, *args, **wanted) if fits(each)]

    MemoryBackend.do_query = do_query


def fill(livemon: str) -> None:
    from canaille.app import models
    from canaille.backends import Backend

    backend: Any = Backend.instance
    groups: dict[str, list[Any]] = {}
    for name, (shown, email, group) in PEOPLE.items():
        first, last = shown.split()
        user = models.User(
            user_name=name,
            formatted_name=shown,
            given_name=first,
            family_name=last,
            emails=[email],
            password=PASSWORD,
        )
        backend.save(user)
        if group:
            groups.setdefault(group, []).append(user)
    for group, members in groups.items():
        backend.save(models.Group(display_name=group, members=members))
    client = models.Client(
        client_id=CLIENT,
        client_secret=SECRET,
        client_name="livemon",
        client_uri=livemon,
        redirect_uris=[f"{livemon}/sign-in/canaille/callback"],
        post_logout_redirect_uris=[f"{livemon}/sign-in"],
        grant_types=["authorization_code"],
        response_types=["code"],
        token_endpoint_auth_method="client_secret_basic",
        scope=["openid", "profile", "email", "groups"],
        id_token_signed_response_alg="RS256",  # it signs by RS512 unless told
    )
    backend.save(client)
    client.audience = [client]
    backend.save(client)


def main(port: int, livemon: str, key: str) -> None:
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # http, on this machine alone
    from canaille import create_app
    from werkzeug.serving import make_server

    mend()
    app = create_app(config=configuration(port, livemon, json.loads(Path(key).read_text())))
    with app.app_context():
        fill(livemon)
    make_server("127.0.0.1", port, app, threaded=True).serve_forever()


if __name__ == "__main__":
    main(int(sys.argv[1]), *sys.argv[2:])
