"""There and back: whoever a provider knows is let in, and nothing that is not quite its word lets anybody in."""

import asyncio
import base64
import hmac
import json
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

import pytest
import structlog
from sqlmodel import select

from livemon.access import members
from livemon.access.guard import COOKIE
from livemon.access.links import make_link
from livemon.access.oidc import attempts, hint
from livemon.access.oidc.provider import Provider
from livemon.access.roles import Role
from livemon.access.sign_in_limits import MOST
from livemon.api.single_sign_on import own_path
from livemon.store.tables import AuditEntry, Session, SignInAttempt, SignInFailures, User
from tests.api.sign_on import ORIGIN, application, browser, problem
from tests.open_id import SECRET, open_id, rsa, signed, unsigned

ROLES = {"admins": "bosses", "developers": "makers"}


@pytest.fixture
def app(store, sessions, audit, own):
    return application(store, sessions, audit, {"own": Provider("own", own.settings(**ROLES))})


@pytest.fixture
async def ada(app):
    made = browser(app)
    async with made.client:
        yield made


async def rows(store, table):
    async with store.session() as session:
        return (await session.exec(select(table))).all()


def given(answer):
    """The session's cookie, as the browser was given it."""
    return next(c[COOKIE] for c in map(SimpleCookie, answer.headers.get_list("set-cookie")) if COOKIE in c)


# ---- the way that works


async def test_the_way_there_asks_for_a_code_with_pkce_state_and_nonce(ada, own):
    answer = await ada.leave()
    target = urlsplit(answer.headers["location"])
    asked = {name: value for name, (value,) in parse_qs(target.query).items()}
    assert f"{target.scheme}://{target.netloc}{target.path}" == f"{own.issuer}/authorize"
    assert (asked["response_type"], asked["client_id"], asked["scope"]) == ("code", "livemon", "openid profile email")
    assert asked["redirect_uri"] == "http://livemon.test/sign-in/own/callback"
    assert asked["code_challenge_method"] == "S256"
    assert len({asked["state"], asked["nonce"], asked["code_challenge"]}) == 3
    assert all(len(asked[name]) >= 43 for name in ("state", "nonce", "code_challenge"))
    assert (answer.headers["cache-control"], answer.headers["referrer-policy"]) == ("no-store", "no-referrer")
    ((_, morsel),) = SimpleCookie(answer.headers["set-cookie"]).items()
    assert (morsel["httponly"], morsel["samesite"], morsel["max-age"]) == (True, "lax", "600")
    assert morsel.value not in answer.headers["location"]
    assert SECRET not in answer.headers["location"]


@pytest.mark.parametrize(
    ("groups", "who", "leads_to"),
    [
        (["bosses", "makers"], "Ada, admin", "/live"),
        (["makers"], "Ada, developer", "/live"),
        (["others"], "Ada, member", "/"),
        ([], "Ada, member", "/"),
    ],
)
async def test_the_groups_say_who_is_what(ada, own, groups, who, leads_to):
    own.claims |= {"groups": groups}
    answer = await ada.sign_in(own)
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)
    assert await ada.who() == who
    morsel = given(answer)
    assert (morsel["httponly"], morsel["samesite"], morsel["max-age"]) == (True, "lax", str(7 * 24 * 3600))


async def test_who_wanted_to_go_somewhere_gets_there(ada, own):
    answer = await ada.sign_in(own, next="/live/call-1?tab=a%20b")
    assert answer.headers["location"] == "/live/call-1?tab=a%20b"


async def test_behind_https_the_cookies_are_for_https_alone(app, own):
    made = browser(app, "https://livemon.test")
    async with made.client:
        left = await made.leave()
        assert "Secure" in left.headers["set-cookie"]
        asked = parse_qs(urlsplit(left.headers["location"]).query)
        assert asked["redirect_uri"] == ["https://livemon.test/sign-in/own/callback"]


async def test_the_public_address_is_where_browsers_are_sent_back_to(store, sessions, audit, own):
    app = application(
        store, sessions, audit, {"own": Provider("own", own.settings())}, "https://calls.example.com/livemon"
    )
    made = browser(app)
    async with made.client:
        asked = parse_qs(urlsplit((await made.leave()).headers["location"]).query)
        assert asked["redirect_uri"] == ["https://calls.example.com/livemon/sign-in/own/callback"]


async def test_the_person_is_found_again_by_issuer_and_subject_and_never_by_address(store, ada, own):
    await ada.sign_in(own)
    own.claims |= {"name": "Ada L.", "email": "ada@elsewhere.example"}
    await ada.sign_in(own)
    assert await ada.who() == "Ada L., member"
    own.claims |= {"sub": "somebody else", "email": "ada@elsewhere.example"}
    await ada.sign_in(own)
    assert len(await rows(store, User)) == 2


async def test_the_role_is_renewed_at_each_sign_in_and_counts_in_every_browser(app, ada, own):
    own.claims |= {"groups": ["bosses"]}
    await ada.sign_in(own)
    other = browser(app)
    async with other.client:
        own.claims |= {"groups": []}
        await other.sign_in(own)
        assert await other.who() == "Ada, member"
        assert await ada.who() == "Ada, member"


async def test_several_tabs_may_be_at_it_at_once(ada, own):
    lefts = [await ada.leave(next=f"/live/{n}") for n in range(3)]
    for n in (1, 0, 2):
        answer = await ada.client.get(own.authorize(lefts[n].headers["location"]))
        assert answer.headers["location"] == f"/live/{n}"


async def test_a_browser_does_not_collect_sign_ins_without_end(ada):
    for _ in range(30):
        await ada.leave()
    assert len(ada.client.cookies) <= 11


async def test_what_the_id_token_lacks_comes_from_the_userinfo_endpoint(ada, own):
    own.userinfo = {"groups": ["makers"]}
    await ada.sign_in(own)
    assert await ada.who() == "Ada, developer"


@pytest.mark.parametrize("methods", [["client_secret_post"], ["client_secret_basic", "client_secret_post"]])
async def test_a_secret_that_a_header_would_change_goes_in_the_form_where_the_provider_takes_it_there(
    ada, own, methods
):
    own.metadata = {"token_endpoint_auth_methods_supported": methods}
    assert problem(await ada.sign_in(own)) is None


async def test_what_the_userinfo_endpoint_says_of_somebody_else_is_refused(ada, own):
    own.userinfo = {"groups": ["bosses"], "sub": "eve"}
    assert problem(await ada.sign_in(own)) == "token"


# ---- what lets nobody in


def _claims(**changes):
    def change(claims):
        claims = {**claims, **{name: value(claims) if callable(value) else value for name, value in changes.items()}}
        return {name: value for name, value in claims.items() if value is not None}

    return change


def _header(key=None, **changes):
    return lambda header, claims: signed({**header, **changes}, claims, key)


def _by_public_key(header, claims):
    """The oldest trick: the public key, which everybody has, as the secret of HS256."""
    bare = unsigned({**header, "alg": "HS256"}, claims).rstrip(".")
    made = hmac.new(rsa("k1").as_pem(private=False), bare.encode(), "sha256").digest()
    return f"{bare}.{base64.urlsafe_b64encode(made).decode().rstrip('=')}"


FORGERIES = {
    "alg none": lambda header, claims: unsigned({**header, "alg": "none"}, claims),
    "alg None": lambda header, claims: unsigned({**header, "alg": "None"}, claims),
    "no alg": lambda header, claims: unsigned({"kid": "k1"}, claims),
    "no signature": lambda header, claims: unsigned(header, claims),
    "HS256 with the public key": _by_public_key,
    "an algorithm that is not pinned": _header(alg="RS512"),
    "another's key": lambda header, claims: signed(header, claims, rsa("evil")),
    "a key that the provider does not know": _header(rsa("evil"), kid="evil"),
    "a key that it brings along": _header(rsa("evil"), jwk=rsa("evil").as_dict(private=False)),
    "an extension that nobody knows": lambda h, c: unsigned(
        {**h, "crit": ["x"], "x": 1}, c, signed(h, c).split(".")[2]
    ),
    "another's signature": lambda h, c: unsigned(h, c, signed(h, {**c, "sub": "x"}).split(".")[2]),
    "encrypted": lambda _h, _c: "a.b.c.d.e",
    "no token": lambda _h, _c: "ada",
    "nothing": lambda _h, _c: "",
    "too long": lambda _h, _c: f"a.{'b' * 100_000}.c",
}
CLAIMS = {
    "wrong audience": _claims(aud="another-client"),
    "wrong audiences": _claims(aud=["another-client", "and-one-more"]),
    "wrong audience, asked for by livemon": _claims(aud="another-client", azp="livemon"),
    "wrong audiences, asked for by livemon": _claims(aud=["another-client", "and-one-more"], azp="livemon"),
    "no audience": _claims(aud=None),
    "an audience that is none": _claims(aud={"livemon": True}),
    "several audiences, for whom is not said": _claims(aud=["livemon", "another-client"]),
    "several audiences, for another": _claims(aud=["livemon", "another-client"], azp="another-client"),
    "for another": _claims(azp="another-client"),
    "wrong issuer": _claims(iss="https://evil.example"),
    "no issuer": _claims(iss=None),
    "expired": _claims(exp=lambda claims: claims["iat"] - 61),
    "no expiry": _claims(exp=None),
    "an expiry that is none": _claims(exp="tomorrow"),
    "an expiry that is no number": _claims(exp=float("nan")),
    "issued in the future": _claims(iat=lambda claims: claims["iat"] + 600),
    "not yet good": _claims(nbf=lambda claims: claims["iat"] + 600),
    "wrong nonce": _claims(nonce="another"),
    "no nonce": _claims(nonce=None),
    "no subject": _claims(sub=None),
    "an empty subject": _claims(sub=""),
    "a subject that is none": _claims(sub=7),
    "an endless subject": _claims(sub="x" * 256),
    "of another access token": _claims(at_hash="c4BPqlEZt4w7M41cdBhCgg"),
}


async def nobody_was_let_in(store, ada):
    assert await ada.who() is None
    assert ada.session is None
    assert await rows(store, Session) == []


@pytest.mark.parametrize("how", FORGERIES)
async def test_a_token_that_the_provider_has_not_signed_lets_nobody_in(store, ada, own, how):
    own.forge = FORGERIES[how]
    assert problem(await ada.sign_in(own)) == "token"
    await nobody_was_let_in(store, ada)


@pytest.mark.parametrize("how", CLAIMS)
async def test_a_token_that_says_something_else_lets_nobody_in(store, ada, own, how):
    own.more_claims = CLAIMS[how]
    assert problem(await ada.sign_in(own)) == "token"
    await nobody_was_let_in(store, ada)


@pytest.mark.parametrize("changes", [{"aud": ["livemon"]}, {"aud": ["x", "livemon"], "azp": "livemon"}])
async def test_a_token_for_livemon_in_another_form_is_good(ada, own, changes):
    own.more_claims = _claims(**changes)
    assert problem(await ada.sign_in(own)) is None


async def test_an_id_token_of_another_sign_in_is_refused(ada, own):
    """Its nonce belongs to the state and the cookie of that one."""
    tokens = []
    own.forge = lambda header, claims: tokens.append(signed(header, claims)) or tokens[0]
    assert problem(await ada.sign_in(own)) is None
    assert problem(await ada.sign_in(own)) == "token"


@pytest.mark.parametrize("state", ["another", "", None, "x" * 10_000, "ä", "\x00"])
async def test_a_state_that_was_never_given_is_refused(store, ada, own, state):
    left = await ada.leave()
    assert problem(await ada.client.get(own.authorize(left.headers["location"], state=state))) == "gone"
    await nobody_was_let_in(store, ada)
    assert own.asked["token"] == 0


async def test_a_state_given_twice_is_refused(ada, own):
    url = own.authorize((await ada.leave()).headers["location"])
    assert problem(await ada.client.get(f"{url}&state=another")) == "gone"


async def test_coming_back_a_second_time_is_refused(store, ada, own):
    left = await ada.leave()
    back, cookies = own.authorize(left.headers["location"]), dict(ada.client.cookies)
    assert problem(await ada.client.get(back)) is None
    ada.client.cookies.update(cookies)
    assert problem(await ada.client.get(back)) == "gone"
    assert len(await rows(store, Session)) == 1


async def test_of_many_who_come_back_with_one_state_at_once_one_is_let_in(store, app, ada, own):
    back = own.authorize((await ada.leave()).headers["location"])
    cookie = {"cookie": "; ".join(f"{name}={value}" for name, value in ada.client.cookies.items())}
    others = [browser(app, **cookie) for _ in range(10)]
    answers = await asyncio.gather(*(each.client.get(back) for each in others))
    assert sorted(str(problem(answer)) for answer in answers) == ["None"] + ["gone"] * 9
    assert len(await rows(store, Session)) == 1


async def test_somebody_elses_state_is_refused_in_a_browser_that_has_not_begun_it(store, app, ada, own):
    """A link that an attacker sends would sign the victim in as the attacker."""
    back = own.authorize((await ada.leave()).headers["location"])
    victim = browser(app)
    async with victim.client:
        assert problem(await victim.client.get(back)) == "gone"
        await victim.leave()
        assert problem(await victim.client.get(back)) == "gone"
        await nobody_was_let_in(store, victim)
    assert problem(await ada.client.get(back)) is None  # and is as good as before in the one that has


async def test_a_code_of_another_sign_in_is_refused_by_pkce(ada, own):
    stolen = parse_qs(urlsplit(own.authorize((await ada.leave()).headers["location"])).query)["code"][0]
    left = await ada.leave()
    answer = await ada.client.get(own.authorize(left.headers["location"], code=stolen))
    assert problem(answer) == "refused"


async def test_a_sign_in_that_comes_back_from_another_provider_is_refused_and_over(store, sessions, audit, own):
    with open_id() as second:
        providers = {"own": Provider("own", own.settings()), "second": Provider("second", second.settings())}
        made = browser(application(store, sessions, audit, providers))
        async with made.client:
            back = own.authorize((await made.leave()).headers["location"])
            mixed_up = back.replace("/own/", "/second/")
            assert problem(await made.client.get(mixed_up)) == "gone"
            assert (own.asked["token"], second.asked["token"]) == (0, 0)
            assert problem(await made.client.get(back)) == "gone"
            await nobody_was_let_in(store, made)


@pytest.mark.parametrize(("iss", "said"), [("https://evil.example", False), (None, True), ("", True)])
async def test_a_sender_that_is_another_provider_is_refused_before_the_code_goes_anywhere(ada, own, iss, said):
    own.metadata = {"authorization_response_iss_parameter_supported": said}
    left = await ada.leave()
    assert problem(await ada.client.get(own.authorize(left.headers["location"], iss=iss))) == "token"
    assert own.asked["token"] == 0


async def test_a_provider_that_says_nothing_of_the_sender_is_believed_without(ada, own):
    left = await ada.leave()
    assert problem(await ada.client.get(own.authorize(left.headers["location"], iss=None))) is None


# ---- no fixation, no open redirect, no way around


async def test_the_session_that_the_browser_had_is_over_and_the_new_one_is_new(store, app, ada, own, sessions):
    token = await make_link(store, name="Bob")
    await ada.client.post("/sign-in/link", json={"token": token})
    before = ada.session
    assert problem(await ada.sign_in(own)) is None
    assert ada.session != before
    assert await sessions.find(before) is None


@pytest.mark.parametrize("planted", ["made-up-by-eve", None])
async def test_a_cookie_that_somebody_else_has_planted_is_not_taken_over(store, app, own, sessions, planted):
    evil = browser(app)
    async with evil.client:
        if planted is None:
            own.claims |= {"sub": "eve", "name": "Eve"}
            await evil.sign_in(own)
            planted = evil.session
            own.claims |= {"sub": "ada", "name": "Ada"}
        victim = browser(app)
        async with victim.client:
            victim.client.cookies.set(COOKIE, planted, domain="livemon.test", path="/")
            answer = await victim.sign_in(own)
            fresh = given(answer).value
            assert fresh != planted
            assert (await sessions.find(fresh)).name == "Ada"
            assert await sessions.find(planted) is None
        assert await evil.who() is None


ELSEWHERE = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/.//evil.example",
    "/..//evil.example",
    "/live/..//evil.example",
    "/%2e%2e//evil.example",
    "/%2E//evil.example",
    "https:evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/\n/evil.example",
    "/\r\nSet-Cookie: a=b",
    " //evil.example",
    "live",
    "",
    "//",
    "/live\x00",
    "/ä",
    "/live/" + "x" * 5_000,
    "/sign-in/own",
    "/sign-in?problem=away",
]


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_what_may_lead_elsewhere_is_no_page_of_ours(elsewhere):
    assert own_path(elsewhere) is None


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example", "/\\evil.example"])
async def test_nobody_is_led_elsewhere(ada, own, elsewhere):
    answer = await ada.sign_in(own, next=elsewhere)
    assert answer.headers["location"] == "/"


@pytest.mark.parametrize("path", ["/", "/live", "/live/", "/live/c-1", "/live/c%2F1?a=//b&c=/../d", "/calls/live#x"])
def test_a_page_of_ours_is_led_to(path):
    assert own_path(path) == path


async def test_a_provider_that_is_not_there_begins_nothing(store, ada):
    ada.slug = "nobody"
    assert problem(await ada.leave()) == "gone"
    assert problem(await ada.client.get("/sign-in/nobody/callback?state=x&code=y")) == "gone"
    assert problem(await ada.client.get("/sign-in/link")) == "gone"
    assert await rows(store, SignInAttempt) == []


# ---- who may not come in


async def test_who_is_not_let_in_by_the_settings_reads_so(store, sessions, audit, own):
    provider = Provider("own", own.settings(domains="example.com"))
    made = browser(application(store, sessions, audit, {"own": provider}))
    async with made.client:
        answer = await made.sign_in(own, next="/live")
        assert problem(answer) == "not_admitted"
        assert "next=/live" in answer.headers["location"]
        await nobody_was_let_in(store, made)
        assert await rows(store, User) == []


async def test_who_has_lost_the_groups_is_out_everywhere(store, sessions, audit, own):
    provider = Provider("own", own.settings(**ROLES, unmapped="refuse"))
    app = application(store, sessions, audit, {"own": provider})
    first, second = browser(app), browser(app)
    async with first.client, second.client:
        own.claims |= {"groups": ["makers"]}
        await first.sign_in(own)
        own.claims |= {"groups": []}
        assert problem(await second.sign_in(own)) == "not_admitted"
        assert await first.who() is None


async def test_without_a_mapping_livemons_own_admins_say_who_is_what(store, sessions, audit, own):
    made = browser(application(store, sessions, audit, {"own": Provider("own", own.settings())}))
    async with made.client:
        await made.sign_in(own)
        assert await made.who() == "Ada, member"
        (user,) = await rows(store, User)
        await members.set_role(store, user.id, "default", Role.DEVELOPER)
        await made.sign_in(own)
        assert await made.who() == "Ada, developer"


async def test_a_workspace_that_is_not_there_is_a_matter_of_the_settings(store, sessions, audit, own):
    made = browser(application(store, sessions, audit, {"own": Provider("own", own.settings(workspace="sales"))}))
    async with made.client:
        assert problem(await made.sign_in(own)) == "settings"


# ---- a provider that says no, or nothing


@pytest.mark.parametrize("path", ["/sign-in/own/callback?state=x&code=y", "/sign-in/nowhere", "/sign-in/own"])
async def test_no_page_locks_somebodys_address_out_by_what_their_browser_fetches_for_it(app, store, ada, own, path):
    for dest in ("image", "script", "iframe", "empty") * 4:
        answer = await browser(app).client.get(path, headers={"sec-fetch-dest": dest, "sec-fetch-site": "cross-site"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")
        assert "set-cookie" not in answer.headers
    async with store.session() as session:
        assert (await session.exec(select(SignInAttempt))).all() == []
    assert problem(await ada.sign_in(own)) is None


async def test_after_ten_failures_an_address_waits_and_is_led_to_the_words(app, ada, own):
    left = await ada.leave()
    for _ in range(MOST):
        assert problem(await ada.client.get("/sign-in/own/callback?code=x&state=unknown")) == "gone"
    back = own.authorize(left.headers["location"])
    for path in (back, "/sign-in/own/callback?code=x&state=unknown", "/sign-in/own?next=/live/c1"):
        assert problem(await ada.client.get(path)) == "limited"
    assert ada.session is None
    assert problem(await browser(app, address="192.0.2.8").sign_in(own)) is None


async def test_neither_success_nor_a_provider_that_is_away_is_counted(store, ada, own):
    for _ in range(MOST + 1):
        assert problem(await ada.sign_in(own)) is None
    attempts = [await ada.leave() for _ in range(3)]
    backs = [own.authorize(left.headers["location"]) for left in attempts]
    own.token_status = 503
    for back in backs:
        assert problem(await ada.client.get(back)) == "away"
    assert await rows(store, SignInFailures) == []


async def test_a_sign_in_that_was_cancelled_is_said(ada, own):
    left = await ada.leave(next="/live")
    answer = await ada.client.get(own.authorize(left.headers["location"], code=None, error="access_denied"))
    assert problem(answer) == "denied"
    assert "next=/live" in answer.headers["location"]


@pytest.mark.parametrize(("status", "says"), [(500, "away"), (404, "away"), (302, "away")])
async def test_a_token_endpoint_that_fails_is_said(ada, own, status, says):
    own.token_status = status
    assert problem(await ada.sign_in(own)) == says


async def test_a_secret_that_the_provider_does_not_know_is_said(store, sessions, audit, own):
    made = browser(application(store, sessions, audit, {"own": Provider("own", own.settings(client_secret="another"))}))
    async with made.client:
        assert problem(await made.sign_in(own)) == "refused"


@pytest.mark.parametrize(
    "metadata",
    [
        {"issuer": "https://evil.example"},
        {"token_endpoint": "http://evil.example/token"},
        {"jwks_uri": "file:///etc/passwd"},
        {"authorization_endpoint": None},
        {"token_endpoint": ["x"]},
    ],
)
async def test_what_a_provider_says_of_itself_must_hold(store, ada, own, metadata):
    own.metadata = metadata
    assert problem(await ada.leave()) == "away"
    assert await rows(store, SignInAttempt) == []


async def test_a_provider_out_of_reach_is_said_and_leaves_those_in_who_are_in(store, sessions, audit):
    with open_id() as own:
        app = application(store, sessions, audit, {"own": Provider("own", own.settings())})
        inside = browser(app)
        await inside.sign_in(own)
    restarted = application(store, sessions, audit, {"own": Provider("own", own.settings())})
    late = browser(restarted)
    assert problem(await late.leave(next="/live")) == "away"
    still = browser(restarted, cookie=f"{COOKIE}={inside.session}")
    assert await still.who() == "Ada, member"
    assert (await still.client.post("/sign-out")).status_code == 204
    assert await still.who() is None


async def test_a_provider_that_goes_away_in_between_is_said(store, sessions, audit):
    with open_id() as own:
        made = browser(application(store, sessions, audit, {"own": Provider("own", own.settings())}))
        left = await made.leave()
        back = own.authorize(left.headers["location"])
    assert problem(await made.client.get(back)) == "away"
    await nobody_was_let_in(store, made)


async def test_a_database_that_does_not_answer_is_said(store, ada):
    await store.close()
    assert problem(await ada.leave()) == "store"


# ---- what must not be seen


async def test_no_secret_is_in_the_log_or_in_the_store(store, ada, own, tmp_path):
    seen = [SECRET, "the-access-token"]
    with structlog.testing.capture_logs() as logged:
        for forge in (signed, FORGERIES["another's key"]):
            tokens = []
            own.forge = lambda header, claims, forge=forge, tokens=tokens: (
                tokens.append(forge(header, claims)) or tokens[-1]
            )
            left = await ada.leave()
            seen += [*ada.client.cookies.values(), *parse_qs(urlsplit(left.headers["location"]).query)["state"]]
            await ada.client.get(own.authorize(left.headers["location"]))
            seen += tokens
    said = json.dumps(logged, default=str)
    assert "nobody was signed in" in said
    assert not [each for each in seen if each in said]
    kept = "".join([repr(await rows(store, table)) for table in (Session, SignInAttempt, User)])
    assert not [each for each in seen if each in kept]


# ---- out again


async def test_signing_out_leads_to_the_providers_own_sign_out(store, ada, own, sessions):
    await ada.sign_in(own)
    cookie = ada.session
    answer = await ada.client.post("/sign-out")
    target = urlsplit(answer.json()["next"])
    asked = {name: value for name, (value,) in parse_qs(target.query).items()}
    assert f"{target.scheme}://{target.netloc}{target.path}" == f"{own.issuer}/end"
    assert (asked["client_id"], asked["post_logout_redirect_uri"]) == ("livemon", "http://livemon.test/sign-in")
    assert json.loads(_part(asked["id_token_hint"]))["sub"] == "ada"
    assert await sessions.find(cookie) is None
    (row,) = await rows(store, Session)
    assert (row.provider, row.id_token) == ("own", None)


async def test_the_id_token_can_be_told_by_store_and_browser_together_alone(store, app, ada, own):
    """What the provider asks for when somebody signs out is encrypted by a key that the browser has."""
    answer = await ada.sign_in(own)
    (row,) = await rows(store, Session)
    key = ada.client.cookies[hint.COOKIE]
    morsel = next(c[hint.COOKIE] for c in map(SimpleCookie, answer.headers.get_list("set-cookie")) if hint.COOKIE in c)
    assert (morsel["httponly"], morsel["samesite"], morsel["path"]) == (True, "lax", "/")
    assert json.loads(_part(hint.unseal(row.id_token, key) or ""))["sub"] == "ada"
    assert hint.unseal(row.id_token, None) is None
    assert hint.unseal(row.id_token, hint.seal("another").key) is None
    for planted in ("", "é", "x" * 5_000):
        assert hint.unseal(row.id_token, planted) is None
    ada.client.cookies.delete(hint.COOKIE)
    there = (await ada.client.post("/sign-out")).json()["next"]
    assert "id_token_hint" not in there
    assert "client_id=livemon" in there


async def test_signing_out_takes_the_key_from_the_browser_too(ada, own):
    await ada.sign_in(own)
    await ada.client.post("/sign-out")
    assert dict(ada.client.cookies) == {}


async def test_who_came_by_a_link_signs_out_here_alone(store, ada):
    await ada.client.post("/sign-in/link", json={"token": await make_link(store)})
    assert (await ada.client.post("/sign-out")).status_code == 204


async def test_a_provider_without_a_sign_out_of_its_own_is_let_be(ada, own):
    own.metadata = {"end_session_endpoint": None}
    await ada.sign_in(own)
    assert (await ada.client.post("/sign-out")).status_code == 204


def _part(token: str) -> bytes:
    return base64.urlsafe_b64decode(token.split(".")[1] + "==")


def test_every_problem_has_its_words():
    from livemon.access.oidc import errors
    from livemon.texts import TEXTS

    found = {each.problem for each in vars(errors).values() if isinstance(each, type) and hasattr(each, "problem")}
    for problem_code in {*found, "denied", "store", "settings"}:
        assert f"sign_in.problem.{problem_code}" in TEXTS
        assert f"sign_in.problem.{problem_code}.text" in TEXTS


# ---- the record of it


async def recorded(audit, store):
    """What the log says, in order, without its own beginning."""
    await audit.close()
    return [
        (entry.action, entry.outcome, entry.person, json.loads(entry.detail))
        for entry in sorted(await rows(store, AuditEntry), key=lambda entry: entry.seq)
        if entry.action != "begun"
    ]


async def test_who_comes_in_and_goes_out_again_is_recorded(ada, own, audit, store):
    assert (await ada.sign_in(own)).status_code == 303
    await ada.client.post("/sign-out", headers={"Origin": ORIGIN})
    (came, went) = await recorded(audit, store)
    assert came == ("sign_in", "done", "Ada", {"by": "own"})
    assert went[:3] == ("sign_out", "done", "Ada")


async def test_who_is_not_let_in_is_recorded_with_the_reason(ada, own, audit, store):
    await ada.leave()
    answer = await ada.client.get("/sign-in/own/callback", params={"state": "somebody's", "code": "c"})
    assert problem(answer) == "gone"
    assert await recorded(audit, store) == [("sign_in", "refused", "", {"by": "own", "reason": "gone"})]


async def test_who_it_was_that_is_not_let_in_is_recorded_once_the_provider_has_said_so(store, sessions, audit, own):
    provider = Provider("own", own.settings(domains="example.com"))
    made = browser(application(store, sessions, audit, {"own": provider}))
    async with made.client:
        assert problem(await made.sign_in(own)) == "not_admitted"
    assert await recorded(audit, store) == [("sign_in", "refused", "", {"by": "own", "reason": "not_admitted"})]
    assert (await rows(store, AuditEntry))[-1].subject == f"oidc:{own.issuer} ada"


async def test_a_provider_that_is_away_has_refused_nobody(store, sessions, audit, own):
    own.token_status = 500
    made = browser(application(store, sessions, audit, {"own": Provider("own", own.settings())}))
    async with made.client:
        assert problem(await made.sign_in(own)) == "away"
    assert await recorded(audit, store) == []


async def test_more_sign_ins_than_are_kept_are_recorded_as_refused(ada, audit, store, monkeypatch):
    monkeypatch.setattr(attempts, "MOST_OF_ONE_ADDRESS", 1)
    await ada.leave()
    assert [problem(await ada.leave()) for _ in range(3)] == ["busy"] * 3
    first, more = await recorded(audit, store)
    assert first == ("sign_in", "refused", "", {"by": "own", "reason": "busy"})
    assert more[3]["count"] == 2
