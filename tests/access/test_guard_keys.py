"""An API key opens the calls and nothing else, for as long as it is good; who guesses is kept out for a while."""

import json
from typing import Any

import pytest
from sqlmodel import col, select, update

from livemon.access import guard as guard_module
from livemon.access import members
from livemon.access.administration import Administration
from livemon.access.api_keys import revoke_key
from livemon.access.guard import COOKIE, Guard
from livemon.access.key_bearers import KeyBearers
from livemon.access.roles import Right, Role
from livemon.access.sign_in_limits import MOST, WINDOW
from livemon.store.tables import ApiKey, AuditEntry, SignInFailures
from tests.access.test_guard import OURS, PAGE, echo
from tests.access.wire import connect, request

UNKNOWN = f"lmk_{'0' * 16}_{'x' * 43}"


@pytest.fixture
def guard(sessions, audit):
    return Guard(echo, sessions=sessions, audit=audit)


@pytest.fixture
async def key(make):
    return await make()


def bearing(key: str) -> dict[str, Any]:
    return {"authorization": f"Bearer {key}"}


def code(answer) -> str:
    return json.loads(answer.body)["error"]["code"]


async def revoke(store, sessions, sign_in, audit, clock, key_id: str) -> None:
    ada = await sessions.find(await sign_in())
    await revoke_key(Administration(store, audit, ada, "", clock), key_id)


async def entries(store, audit) -> list[AuditEntry]:
    """Those of refusals."""
    await audit._flush()
    async with store.session() as session:
        refusals = select(AuditEntry).where(AuditEntry.outcome == "refused").order_by(col(AuditEntry.seq))
        return list((await session.exec(refusals)).all())


# ---- what it opens


async def test_a_key_is_somebody_with_its_own_name_and_rights(sessions, audit, key):
    seen = []

    async def note(scope, receive, send):
        seen.append(scope["state"]["person"])
        await echo(scope, receive, send)

    assert (await request(Guard(note, sessions=sessions), "GET", "/calls/c1", bearing(key.key))).status == 200
    (person,) = seen
    assert (person.user_id, person.session_id) == (f"key:{key.id}", f"key:{key.id}")
    assert (person.name, person.email, person.workspace) == ("Wallboard", "", "default")
    assert (person.role, person.rights) == (Role.MEMBER, {Right.WATCH, Right.END})


async def test_a_key_acts_on_calls_without_an_origin_and_without_a_cookie(guard, key):
    for path in ("/calls/c1/end", "/listeners/x/stop", "/take-overs/x/cancel", "/calls/c1/listen"):
        assert (await request(guard, "POST", path, bearing(key.key))).body == b"Wallboard"
        assert (await request(guard, "POST", path, bearing(key.key) | OURS)).body == b"Wallboard"


async def test_a_key_opens_the_sockets_of_calls_without_an_origin(guard, key):
    for path in ("/feed/calls", "/feed/calls/c1", "/take-overs/x"):
        socket = await connect(guard, path, bearing(key.key))
        assert socket.messages == [{"type": "websocket.accept", "name": b"Wallboard"}]


NOT_FOR_KEYS = [
    *("/", "/live", "/live/c1", "/audit", "/audit/entries", "/audit/export.csv", "/sign-out", "/no/such/page"),
    *("/members", "/members/all", "/keys", "/keys/all", "/invitations", "/workspace", "/workspaces", "/feed", "/calls"),
    *("/feedx/calls", "//feed/calls", "/live/../calls/c1/end", "/_nicegui/client/abc/upload/4", "/Calls/c1/end"),
]


async def test_a_key_opens_nothing_else(guard, key):
    for path in NOT_FOR_KEYS:
        for method in ("GET", "POST", "DELETE", "OPTIONS"):
            answer = await request(guard, method, path, bearing(key.key) | PAGE)
            assert (answer.status, code(answer)) == (403, "forbidden"), (method, path)
            assert "not open to API keys" in json.loads(answer.body)["error"]["message"]
        assert (await connect(guard, path, bearing(key.key))).close_code == 4403, path


async def test_a_key_opens_no_socket_of_niceguis(guard, key):
    answer = await connect(guard, "/_nicegui_ws/socket.io/", bearing(key.key) | OURS)
    assert answer.kinds == ["websocket.close"]


async def test_with_a_key_no_cookie_counts(guard, key, sign_in):
    """Else a bad key would go unnoticed, and a good one could do what its bearer's cookie may."""
    ada = {"cookie": f"{COOKIE}={await sign_in()}"} | OURS
    assert (await request(guard, "GET", "/calls/c1", ada | bearing(key.key))).body == b"Wallboard"
    assert (await request(guard, "GET", "/live", ada | bearing(key.key))).status == 403
    assert (await request(guard, "GET", "/live", ada | bearing(UNKNOWN))).status == 401
    assert (await connect(guard, "/feed/calls", ada | bearing(UNKNOWN))).close_code == 4401


async def test_an_origin_that_comes_along_has_to_be_ours(guard, key):
    for origin in ("https://evil.example", "null", ["http://livemon.test", "https://evil.example"]):
        for method in ("GET", "POST"):
            answer = await request(guard, method, "/calls/c1/end", bearing(key.key) | {"origin": origin})
            assert (answer.status, code(answer)) == (403, "cross_site")
        assert (await connect(guard, "/feed/calls", bearing(key.key) | {"origin": origin})).close_code == 4403


async def test_what_is_open_asks_for_no_key_and_lets_none_past_its_own_rules(guard, key):
    assert (await request(guard, "GET", "/healthz", bearing(UNKNOWN))).body == b"nobody"
    assert (await request(guard, "POST", "/sign-in/link", bearing(key.key))).status == 403
    assert (await request(guard, "POST", "/sign-in/x/back-channel-logout", bearing(key.key))).body == b"nobody"


# ---- when it opens nothing (any more)


async def test_a_key_that_is_revoked_expired_or_unknown_is_refused_in_the_same_words(
    guard, make, store, sessions, sign_in, audit, clock
):
    revoked, expired, malformed = await make("Revoked"), await make("Expired", days=1), "lmk_x"
    await revoke(store, sessions, sign_in, audit, clock, revoked.id)
    clock.forward(days=1)
    swapped = f"lmk_{revoked.id}_{(await make('Other')).key[-43:]}"
    answers = []
    for each in (revoked.key, expired.key, UNKNOWN, malformed, swapped):
        answers.append(await request(guard, "GET", "/calls/c1", bearing(each) | PAGE))
        assert (await connect(guard, "/feed/calls", bearing(each))).close_code == 4401
    assert {answer.status for answer in answers} == {401}
    assert len({answer.body for answer in answers}) == 1
    assert "Ask an admin of the workspace for a new key" in json.loads(answers[0].body)["error"]["message"]
    assert answers[0].headers["www-authenticate"].startswith("Bearer")


async def test_a_key_is_good_until_its_last_moment(guard, make, clock):
    key = await make(days=1)
    clock.forward(seconds=24 * 3600 - 0.001)
    assert (await request(guard, "GET", "/calls/c1", bearing(key.key))).status == 200
    clock.forward(seconds=0.001)
    assert (await request(guard, "GET", "/calls/c1", bearing(key.key))).status == 401


async def test_garbage_in_place_of_a_key_is_nobody(guard, key):
    headers = [
        *("Bearer lmk_", "Bearer  lmk_\x00", "bearer lmk_ü", f"Bearer lmk_{'x' * 60_000}", f"Bearer {UNKNOWN} x"),
        *(f"Bearer {key.key}x", f"Bearer {key.key} {key.key}"),
        *([f"Bearer {key.key}", f"Bearer {key.key}"], ["Basic eDp5", f"Bearer {key.key}"]),
    ]
    for n, header in enumerate(headers):
        answer = await request(guard, "GET", "/calls/c1", {"authorization": header}, client=(f"198.51.100.{n}", 1))
        assert answer.status == 401, header


async def test_the_scheme_may_be_written_in_any_case(guard, key):
    for scheme in ("bearer", "BEARER"):
        assert (await request(guard, "GET", "/calls/c1", {"authorization": f"{scheme} {key.key}"})).status == 200


async def test_what_a_proxy_uses_the_header_for_is_not_ours_to_judge(guard, sign_in):
    cookie = f"{COOKIE}={await sign_in()}"
    for header in ("Basic bG1rXzpsbWtf", "Bearer of-somebody-else", "lmk_", "", "Bearer"):
        ada = {"cookie": cookie, "authorization": header}
        assert (await request(guard, "GET", "/live", ada)).body == b"Ada"
        assert (await request(guard, "POST", "/calls/c1/end", ada)).status == 403, "without an Origin"


async def test_a_key_goes_on_when_its_maker_is_no_admin_any_more_and_when_they_are_gone(guard, key, store):
    ada = await members.find_or_create(store, "Ada")
    await members.set_role(store, ada, "default", Role.MEMBER)
    assert (await request(guard, "GET", "/calls/c1", bearing(key.key))).status == 200
    await members.remove(store, ada, "default")
    assert (await request(guard, "GET", "/calls/c1", bearing(key.key))).status == 200


async def test_rights_that_no_key_can_have_give_nothing(guard, sessions, key, store):
    async with store.session() as session:
        await session.exec(update(ApiKey).values(rights="watch manage everything"))
        await session.commit()
    person = await sessions.person(f"key:{key.id}")
    assert person.rights == {Right.WATCH}


# ---- its last use


async def test_its_last_use_is_known_to_the_minute(guard, key, store, clock):
    async def last_used() -> int | None:
        async with store.session() as session:
            return (await session.exec(select(ApiKey.last_used_at))).one()

    assert await last_used() is None
    seen = []
    for _ in range(5):
        await request(guard, "GET", "/calls/c1", bearing(key.key))
        seen.append(await last_used())
        clock.forward(seconds=30)
    assert seen[0] == seen[1] < seen[2] == seen[3] < seen[4]
    await request(guard, "GET", "/calls/c1", bearing(UNKNOWN))
    assert await last_used() == seen[4]


# ---- who guesses


async def test_who_guesses_is_kept_out_for_a_while_and_told_so(guard, make, store, audit, clock):
    fresh = await make("Fresh")
    for _ in range(MOST):
        assert (await request(guard, "GET", "/calls/c1", bearing(UNKNOWN))).status == 401
    for each in (UNKNOWN, fresh.key):
        answer = await request(guard, "GET", "/calls/c1", bearing(each))
        assert (answer.status, code(answer)) == (429, "sign_in_limited")
        assert int(answer.headers["retry-after"]) >= WINDOW.total_seconds()
        assert "failed too often" in json.loads(answer.body)["error"]["message"]
        assert (await connect(guard, "/feed/calls", bearing(each))).close_code == 1013
    elsewhere = {"client": ("198.51.100.1", 1)}
    assert (await request(guard, "GET", "/calls/c1", bearing(fresh.key), **elsewhere)).status == 200
    clock.forward(seconds=int(answer.headers["retry-after"]))
    assert (await request(guard, "GET", "/calls/c1", bearing(fresh.key))).status == 200


async def test_who_is_in_already_is_not_kept_out_by_a_neighbour_who_guesses(guard, key, sign_in):
    ada = {"cookie": f"{COOKIE}={await sign_in()}"} | OURS
    await request(guard, "GET", "/calls/c1", bearing(key.key))
    for _ in range(2 * MOST):
        await request(guard, "GET", "/calls/c1", bearing(UNKNOWN))
    assert (await request(guard, "GET", "/calls/c1", bearing(key.key))).status == 200
    assert (await request(guard, "GET", "/live", ada)).status == 200
    assert (await connect(guard, "/feed/calls", ada)).kinds == ["websocket.accept"]


async def test_a_key_that_was_in_and_is_revoked_is_counted_as_any_other(
    guard, key, store, sessions, sign_in, audit, clock
):
    await request(guard, "GET", "/calls/c1", bearing(key.key))
    await revoke(store, sessions, sign_in, audit, clock, key.id)
    statuses = [(await request(guard, "GET", "/calls/c1", bearing(key.key))).status for _ in range(MOST + 2)]
    assert statuses == [401] * MOST + [429] * 2


async def test_good_keys_are_not_counted(guard, make, store):
    for n in range(MOST + 5):
        assert (await request(guard, "GET", "/calls/c1", bearing((await make(f"Key {n}")).key))).status == 200
    async with store.session() as session:
        assert (await session.exec(select(SignInFailures))).all() == []


# ---- on the record


async def test_refusals_are_recorded_with_whose_key_it_was_and_never_the_key(
    guard, make, store, sessions, sign_in, audit, clock
):
    revoked, expired, good = await make("Revoked"), await make("Expired", days=1), await make("Good")
    await revoke(store, sessions, sign_in, audit, clock, revoked.id)
    clock.forward(days=1)
    for each in (revoked.key, expired.key, UNKNOWN, UNKNOWN, UNKNOWN):
        await request(guard, "GET", "/calls/c1", bearing(each))
    for path in ("/members/all", "/members/+12125550184", "/+12125550184"):
        await request(guard, "GET", path, bearing(good.key))
    found = await entries(store, audit)
    assert [(each.action, each.person, json.loads(each.detail).get("reason"), each.subject) for each in found] == [
        ("api_key", "Revoked", "key_revoked", ""),
        ("api_key", "Expired", "key_expired", ""),
        ("api_key", "", "key_unknown", ""),
        ("access", "Good", None, "/members"),
        ("access", "Good", None, ""),
    ]
    assert {each.address for each in found} == {"192.0.2.7"}
    assert [each.workspace for each in found] == ["default", "default", "", "default", "default"]
    for each in found:
        for secret in (revoked.key, expired.key, UNKNOWN, "5550184"):
            assert secret[-43:] not in repr(each)


# ---- without the store


async def test_with_the_store_away_a_key_that_was_known_ends_a_call_and_does_nothing_else(guard, make, store):
    known, other = await make("Known"), await make("Other")
    await request(guard, "GET", "/calls/c1", bearing(known.key))
    await store.close()
    for path in ("/calls/c1/end", "/listeners/x/stop", "/take-overs/x/cancel"):
        assert (await request(guard, "POST", path, bearing(known.key))).body == b"Known"
        answer = await request(guard, "POST", path, bearing(other.key))
        assert (answer.status, code(answer)) == (503, "store_away")
        guessed = f"{known.key[:-1]}{'b' if known.key.endswith('a') else 'a'}"
        assert (await request(guard, "POST", path, bearing(guessed))).status == 503
    assert (await request(guard, "POST", "/calls/c1/listen", bearing(known.key))).status == 503
    assert (await connect(guard, "/feed/calls", bearing(known.key))).close_code == 1013


async def test_what_was_known_of_a_revoked_key_is_forgotten(guard, key, store, sessions, sign_in, audit, clock):
    await request(guard, "GET", "/calls/c1", bearing(key.key))
    await revoke(store, sessions, sign_in, audit, clock, key.id)
    await request(guard, "GET", "/calls/c1", bearing(key.key))
    await store.close()
    assert (await request(guard, "POST", "/calls/c1/end", bearing(key.key))).status == 503


def test_the_table_is_of_folders_so_that_no_page_begins_like_one():
    assert all(path.startswith("/") and path.endswith("/") for path in guard_module.OPEN_TO_KEYS)


async def test_another_nodes_keys_are_this_ones_too(key, other_store, clock):
    person = await KeyBearers(other_store, now=clock).admit(key.key, "192.0.2.7", None)
    assert person.name == "Wallboard"
