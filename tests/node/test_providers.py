"""livemon with identity providers in its settings, as people start it."""

from tests.open_id import open_id


def test_a_workspace_that_is_not_there_is_said_at_the_start(own):
    with open_id() as provider:
        own.settings |= {**provider.variables, "LIVEMON_OIDC__OWN__WORKSPACE": "sales"}
        code, said = own.run()
    assert code == 1
    assert "LIVEMON_OIDC__OWN__WORKSPACE: There is no workspace 'sales'" in said
    assert "Traceback" not in said


def test_a_setting_that_cannot_be_used_is_said_at_the_start(own):
    own.settings |= {"LIVEMON_OIDC__OWN__ISSUER": "http://id.example.com", "LIVEMON_OIDC__OWN__CLIENT_SECRET": "hush"}
    for command in ((), ("doctor",)):
        code, said = own.run(*command)
        assert code == 1
        assert "LIVEMON_OIDC__OWN__ISSUER: an address like" in said
        assert "LIVEMON_OIDC__OWN__CLIENT_ID: it is needed" in said
        assert "hush" not in said


def test_a_provider_that_is_away_keeps_nothing_from_starting_and_is_said(own):
    with open_id() as provider:
        own.settings |= provider.variables
    own.start()
    own.await_words("An identity provider cannot be used yet.")
    code, said = own.run("doctor")
    assert code == 1
    assert "Nobody can sign in with Our own" in said
