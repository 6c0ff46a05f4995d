"""By whom somebody comes in, and whose claims make them what they are."""

from dataclasses import dataclass

from livemon.access.oidc.provenance import Provenance, provenance_of
from livemon.access.oidc.provider_settings import ProviderSettings


@dataclass
class Named:
    name: str
    settings: ProviderSettings


def provider(name, issuer="https://id.example.com/", **more) -> Named:
    return Named(name, ProviderSettings(issuer=issuer, client_id="livemon", **more))


KEY = "oidc:https://id.example.com 7 of 9"


def test_who_is_known_by_name_comes_by_link():
    assert provenance_of("name:ada", "default", [provider("Company")]) == Provenance(None, None)


def test_who_is_known_to_a_provider_comes_by_it():
    providers = [provider("Other", "https://other.example.com"), provider("Company")]
    assert provenance_of(KEY, "default", providers) == Provenance("Company", None)


def test_the_claims_decide_in_the_providers_own_workspace_alone():
    providers = [provider("Company", admins="a")]
    assert provenance_of(KEY, "default", providers) == Provenance("Company", "Company")
    assert provenance_of(KEY, "sales", providers) == Provenance("Company", None)


def test_of_several_clients_of_one_issuer_the_workspaces_own_counts():
    providers = [provider("First", admins="a", workspace="sales"), provider("Second"), provider("Third", admins="b")]
    assert provenance_of(KEY, "default", providers) == Provenance("Third", "Third")
    assert provenance_of(KEY, "sales", providers) == Provenance("First", "First")


def test_one_whom_the_settings_name_no_more_is_known_by_its_host():
    assert provenance_of(KEY, "default", []) == Provenance("id.example.com", None)
