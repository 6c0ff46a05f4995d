"""A provider's own word ends the sessions that it has begun; nobody else's does, and no word twice."""

import asyncio
import time
from datetime import timedelta

import pytest
from sqlmodel import select

from livemon.access.guard import COOKIE
from livemon.access.links import make_link
from livemon.access.oidc import people
from livemon.access.oidc.provider import Provider
from livemon.access.sessions import Sessions, session_id_of
from livemon.store.instants import utc_now
from livemon.store.store import Store
from livemon.store.tables import AuditEntry, Membership, Session, User
from tests.api.sign_on import application, browser, problem
from tests.api.test_single_sign_on import FORGERIES
from tests.open_id import LOGOUT_EVENT, open_id, rsa, signed

GENEROUS_S = 60.0
PATH = "/sign-in/own/back-channel-logout"


class Later:
    """The clock of this machine, and what it is put forward by."""

    def __init__(self):
        self.by = timedelta(0)

    def __call__(self):
        return utc_now() + self.by


@pytest.fixture
def later():
    return Later()


@pytest.fixture
def app(store, sessions, audit, own, later):
    return application(store, sessions, audit, {"own": Provider("own", own.settings(), now=later)})


@pytest.fixture
async def ada(app, own):
    """Ada's browser, signed in, with a session id of the provider's."""
    own.more_claims = lambda claims: claims | {"sid": "session-1"}
    made = browser(app)
    async with made.client:
        await made.sign_in(own)
        yield made


async def tell(app, token, path=PATH, **more):
    """As the provider does: a form, from a server that has neither our cookie nor our Origin."""
    async with browser(app).client as server:
        del server.headers["origin"]
        return await server.post(path, **({"data": {"logout_token": token}} | more))


@pytest.mark.parametrize(
    "whose", [{"sid": "session-1"}, {"sid": "session-1", "sub": None}, {"sid": None, "sub": "ada"}]
)
async def test_the_providers_word_ends_the_session(app, ada, own, sessions, whose):
    async with sessions.hold(session_id_of(ada.session), right=None) as held:
        answer = await tell(app, own.logout_token(**whose))
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
        assert held.ended.is_set()
    assert await ada.who() is None


async def test_what_is_open_at_another_node_closes_too(app, ada, own, tmp_path):
    other_store = Store(f"sqlite:///{tmp_path}/livemon.db")
    await other_store.open()
    other = Sessions(other_store)
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(other.run())
        async with other.hold(session_id_of(ada.session), right=None) as held:
            began = time.monotonic()
            assert (await tell(app, own.logout_token())).status_code == 200
            async with asyncio.timeout(GENEROUS_S):
                await held.ended.wait()
            print(f"told {time.monotonic() - began:.3f} s after the provider's logout (contract: 2 s)")
        watching.cancel()
    await other_store.close()


@pytest.mark.parametrize("whose", [{"sid": "session-2"}, {"sub": "bob"}, {"sid": "session-1", "sub": "bob"}])
async def test_others_stay(app, ada, own, whose):
    assert (await tell(app, own.logout_token(**whose))).status_code == 200
    assert await ada.who() == "Ada, member"


async def test_a_word_between_the_exchange_of_the_code_and_the_session_keeps_it_from_being_opened(
    store, app, own, monkeypatch
):
    let_in = people.let_in

    async def let_in_late(*args, **options):
        assert (await tell(app, own.logout_token())).status_code == 200
        return await let_in(*args, **options)

    made = browser(app)
    async with made.client:
        with monkeypatch.context() as patch:
            patch.setattr(people, "let_in", let_in_late)
            assert problem(await made.sign_in(own)) == "signed_out"
        assert made.session is None
        async with store.session() as session:
            for table in (Session, User, Membership):
                assert (await session.exec(select(table))).all() == []
        assert problem(await made.sign_in(own)) is None  # begun after that word


async def test_a_session_that_has_no_id_there_ends_with_all_of_its_person(app, ada, own):
    own.more_claims = lambda claims: claims
    second = browser(app)
    async with second.client:
        await second.sign_in(own)
        assert (await tell(app, own.logout_token(sid="session-9"))).status_code == 200
        assert await second.who() is None
        assert await ada.who() == "Ada, member"


async def test_who_came_by_a_link_or_another_provider_stays(store, sessions, audit, own):
    with open_id() as second:
        providers = {"own": Provider("own", own.settings()), "second": Provider("second", second.settings())}
        app = application(store, sessions, audit, providers)
        by_link, elsewhere = browser(app), browser(app, slug="second")
        async with by_link.client, elsewhere.client:
            await by_link.client.post("/sign-in/link", json={"token": await make_link(store, name="ada")})
            await elsewhere.sign_in(second)
            assert (await tell(app, own.logout_token())).status_code == 200
            assert await by_link.who() == "ada, admin"
            assert await elsewhere.who() == "Ada, member"


async def test_a_word_counts_once(app, ada, own):
    token = own.logout_token()
    assert (await tell(app, token)).status_code == 200
    await ada.sign_in(own)
    answer = await tell(app, token)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert "jti" in answer.json()["error_description"]
    assert await ada.who() == "Ada, member"


async def test_of_many_at_once_one_counts(app, ada, own):
    token = own.logout_token()
    answers = await asyncio.gather(*(tell(app, token) for _ in range(10)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9


BAD_CLAIMS = {
    "with a nonce": {"nonce": "n"},
    "with an empty nonce": {"nonce": ""},
    "no events": {"events": None},
    "other events": {"events": {"http://schemas.openid.net/event/other": {}}},
    "events that are a list": {"events": [LOGOUT_EVENT]},
    "an event that is no object": {"events": {LOGOUT_EVENT: "yes"}},
    "an event that is nothing": {"events": {LOGOUT_EVENT: None}},
    "another issuer": {"iss": "https://evil.example"},
    "no issuer": {"iss": None},
    "another audience": {"aud": "another-client"},
    "no audience": {"aud": None},
    "an audience that is none": {"aud": {"livemon": 1}},
    "expired": {"exp": 1_000_000_000},
    "no expiry": {"exp": None},
    "an expiry that is none": {"exp": "soon"},
    "an expiry that is no number": {"exp": float("inf")},
    "an endless expiry": {"exp": 10**400},
    "issued long ago": {"iat": 1_000_000_000},
    "issued in the future": {"iat": 4_000_000_000, "exp": 4_000_000_100},
    "never issued": {"iat": None},
    "issued at yes": {"iat": True},
    "no id": {"jti": None},
    "an empty id": {"jti": ""},
    "an endless id": {"jti": "x" * 300},
    "an id that is none": {"jti": 7},
    "nobody": {"sub": None, "sid": None},
    "a subject that is none": {"sub": 7},
    "a session that is none": {"sid": ["session-1"]},
}


async def is_refused(app, ada, token, **more):
    answer = await tell(app, token, **more)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    assert await ada.who() == "Ada, member"


@pytest.mark.parametrize("how", BAD_CLAIMS)
async def test_a_word_that_says_something_else_ends_nothing(app, ada, own, how):
    await is_refused(app, ada, own.logout_token(**BAD_CLAIMS[how]))


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_word_that_the_provider_has_not_signed_ends_nothing(app, ada, own, how):
    await is_refused(app, ada, own.logout_token(FORGERIES[how]))


async def test_forged_words_are_recorded_as_refused_and_a_flood_of_them_is_counted(app, ada, own, audit, store):
    for _ in range(20):
        await tell(app, own.logout_token(FORGERIES["another's key"]))
    await audit.close()
    async with store.session() as session:
        entries = (await session.exec(select(AuditEntry).order_by(AuditEntry.seq))).all()
    assert [(one.action, one.outcome) for one in entries[-2:]] == [("session_end", "refused")] * 2
    assert entries[-2].detail == '{"by":"own","reason":"token"}'
    assert '"count":19' in entries[-1].detail


async def test_an_id_token_is_no_such_word(app, ada, own):
    tokens = []
    own.forge = lambda header, claims: tokens.append(signed(header, claims)) or tokens[-1]
    await ada.sign_in(own)
    await is_refused(app, ada, tokens[-1])


@pytest.mark.parametrize("kind", ["at+jwt", "secevent+jwt", "dpop+jwt"])
async def test_a_token_of_another_kind_is_no_such_word(app, ada, own, kind):
    await is_refused(app, ada, own.logout_token(header={"typ": kind}))


@pytest.mark.parametrize("kind", ["JWT", "logout+jwt", ""])
async def test_the_kinds_that_providers_send_are_taken(app, own, kind):
    assert (await tell(app, own.logout_token(header={"typ": kind}))).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"logout_token=", b"token=x", b"\xff\xfe", b"logout_token=a&logout_token=b", b"x" * 200_000]
)
async def test_a_body_that_is_something_else_ends_nothing(app, ada, body):
    await is_refused(app, ada, "", data=None, content=body)


async def test_a_provider_that_is_not_there_is_told_so(app, own):
    answer = await tell(app, own.logout_token(), "/sign-in/nobody/back-channel-logout")
    assert answer.status_code == 400


async def test_a_database_that_does_not_answer_uses_no_word_up(app, store, own):
    token = own.logout_token()
    await store.close()
    assert (await tell(app, token)).status_code == 503
    await store.open()
    assert (await tell(app, token)).status_code == 200


async def test_a_cookie_makes_no_difference(app, ada):
    """Another site could have a browser post here; it has no token that the provider has signed."""
    headers = {"cookie": f"{COOKIE}={ada.session}", "origin": "https://evil.example"}
    await is_refused(app, ada, "x.y.z", headers=headers)


# ---- the provider's keys


def by_k2(header, claims):
    return signed({**header, "kid": "k2"}, claims, rsa("k2"))


async def test_a_new_key_is_fetched_once_and_works(app, ada, own, later):
    own.keys = [rsa("k2"), rsa("k1")]
    fetched = own.asked["keys"]
    later.by = timedelta(seconds=11)
    assert (await tell(app, own.logout_token(by_k2))).status_code == 200
    assert own.asked["keys"] == fetched + 1
    own.forge = by_k2
    await ada.sign_in(own)
    assert await ada.who() == "Ada, member"
    assert own.asked["keys"] == fetched + 1


async def test_keys_that_nobody_knows_are_asked_for_once_in_ten_seconds_however_many_come(app, ada, own, later):
    fetched = own.asked["keys"]
    for seconds, times in ((0, 0), (11, 1), (12, 1), (22, 2)):
        later.by = timedelta(seconds=seconds)
        forged = [own.logout_token(header={"kid": f"made-up-{n}"}) for n in range(20)]
        answers = await asyncio.gather(*(tell(app, token) for token in forged))
        assert {answer.status_code for answer in answers} == {400}
        assert own.asked["keys"] == fetched + times


async def test_a_key_withdrawn_signs_nothing_once_the_keys_are_an_hour_old(app, ada, own, later):
    own.keys = [rsa("k2")]
    later.by = timedelta(minutes=61)
    now = int(later().timestamp())
    await is_refused(app, ada, own.logout_token(iat=now, exp=now + 60))


async def test_a_provider_whose_keys_cannot_be_fetched_is_asked_to_try_again(store, sessions, audit):
    with open_id() as own:
        provider = Provider("own", own.settings())
        await provider.metadata()
        token = own.logout_token()
    assert (await tell(application(store, sessions, audit, {"own": provider}), token)).status_code == 503
