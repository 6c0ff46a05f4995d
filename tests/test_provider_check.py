"""`livemon doctor` meets each identity provider, and says what to register there or what is wrong."""

import pytest

from livemon.finding import Grade
from livemon.provider_check import check_providers
from livemon.settings import Settings
from livemon.store.store import Store
from tests.conftest import free_port
from tests.open_id import OpenId, open_id, rsa


@pytest.fixture
def own():
    with open_id() as provider:
        yield provider


def settings_of(own: OpenId, tmp_path, **more) -> Settings:
    url = {"public_url": "https://calls.example.com", "data_dir": tmp_path}
    return Settings(_env_file=None, oidc={"own": own.settings(**more)}, **url)


async def test_a_good_one_is_told_with_what_to_register_there(own, tmp_path):
    (found,) = await check_providers(settings_of(own, tmp_path, admins="a"))
    assert found.grade is Grade.OK
    for path in ("sign-in/own/callback", "sign-in,", "sign-in/own/back-channel-logout"):
        assert f"https://calls.example.com/{path}" in found.what


async def test_one_that_does_not_answer_is_a_problem(own, tmp_path):
    settings = settings_of(own, tmp_path, issuer=f"http://localhost:{free_port()}")
    (found,) = await check_providers(settings)
    assert found.grade is Grade.PROBLEM
    assert "LIVEMON_OIDC__OWN__ISSUER" in found.advice


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"issuer": "https://other.example"}, "it calls itself 'https://other.example'"),
        ({"token_endpoint": None}, "token_endpoint"),
        ({"jwks_uri": "http://elsewhere.example/keys"}, "not https"),
        ({"id_token_signing_alg_values_supported": ["HS256"]}, "signs with nothing that livemon accepts (RS256)"),
    ],
)
async def test_one_that_cannot_be_used_is_a_problem_that_says_why(own, tmp_path, metadata, says):
    own.metadata = metadata
    found = [each for each in await check_providers(settings_of(own, tmp_path)) if each.grade is Grade.PROBLEM]
    assert [says in each.what for each in found] == [True]


async def test_one_whose_keys_cannot_be_used_is_a_problem(own, tmp_path):
    own.keys = []
    found = await check_providers(settings_of(own, tmp_path))
    assert [each.grade for each in found] == [Grade.OK, Grade.PROBLEM]
    own.keys = [rsa("k1")]
    assert [each.grade for each in await check_providers(settings_of(own, tmp_path))] == [Grade.OK]


async def test_settings_by_which_nobody_new_comes_in_are_told(own, tmp_path):
    found = await check_providers(settings_of(own, tmp_path, unmapped="refuse"))
    assert [each.grade for each in found] == [Grade.OK, Grade.WARNING]
    assert "Nobody new can come in" in found[1].what


async def test_a_workspace_that_is_not_there_is_a_problem_once_there_is_a_database(own, tmp_path):
    settings = settings_of(own, tmp_path, workspace="sales")
    assert [each.grade for each in await check_providers(settings)] == [Grade.OK]
    store = Store(settings.database)
    await store.open()
    await store.close()
    *_, found = await check_providers(settings)
    assert (found.grade, "'sales'" in found.what) == (Grade.PROBLEM, True)
