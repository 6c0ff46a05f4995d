"""From the claims that each vendor documents to who somebody is here, in which role, or that they may not come in."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from livemon.access.oidc.errors import ClaimsElsewhere, NotAdmitted, TokenRefused
from livemon.access.oidc.identity import identity_of, values_at
from livemon.access.oidc.provider_settings import ProviderSettings
from livemon.access.roles import Role


@dataclass
class Vendor:
    claims: dict[str, Any]
    settings: dict[str, Any]
    name: str
    email: str
    role: Role | None
    more: dict[str, Any] = field(default_factory=dict)


# Each as the vendor's documentation shows its ID token, with the groups or roles that its documentation says how to add.
VENDORS = {
    # Keycloak: Server Administration Guide, «roles» client scope (realm and client roles) and the group membership mapper
    "keycloak, realm roles": Vendor(
        {
            "exp": 1_780_000_300,
            "iat": 1_780_000_000,
            "auth_time": 1_779_999_999,
            "jti": "onrtac:6a2c0a2e-4b1c-9f63-6e8b-7a1ff1f0c0de",
            "iss": "https://id.example.com/realms/calls",
            "aud": "livemon",
            "sub": "f2f3b6f0-1c3e-4f0e-8a52-0d1a1c1f7c11",
            "typ": "ID",
            "azp": "livemon",
            "sid": "0b5f6a0e-38a5-4c49-9b1e-7a1f7a7f9e55",
            "acr": "1",
            "realm_access": {"roles": ["offline_access", "default-roles-calls", "livemon-admin"]},
            "resource_access": {"livemon": {"roles": ["supervisor"]}, "account": {"roles": ["manage-account"]}},
            "email_verified": True,
            "name": "Maya Kim",
            "preferred_username": "maya",
            "given_name": "Maya",
            "family_name": "Kim",
            "email": "Maya@Example.com",
        },
        {"roles_claim": "realm_access.roles", "admins": "livemon-admin", "domains": "example.com"},
        "Maya Kim",
        "maya@example.com",
        Role.ADMIN,
    ),
    "keycloak, client roles": Vendor(
        {
            "iss": "https://id.example.com/realms/calls",
            "sub": "f2f3b6f0",
            "resource_access": {"livemon.calls": {"roles": ["supervisor"]}},
            "preferred_username": "maya",
            "email": "maya@example.com",
            "email_verified": False,
        },
        {"roles_claim": "resource_access.livemon.calls.roles", "developers": "supervisor"},
        "maya",
        "",
        Role.DEVELOPER,
    ),
    "keycloak, groups with full path": Vendor(
        {"iss": "https://id.example.com/realms/calls", "sub": "f2", "groups": ["/calls/supervisors"], "name": "Maya"},
        {"developers": "/calls/supervisors"},
        "Maya",
        "",
        Role.DEVELOPER,
    ),
    # Google: «OpenID Connect», an ID token's payload; no groups, so livemon's Admins say who is what
    "google workspace": Vendor(
        {
            "iss": "https://accounts.google.com",
            "azp": "1234987819200.apps.googleusercontent.com",
            "aud": "1234987819200.apps.googleusercontent.com",
            "sub": "10769150350006150715113082367",
            "at_hash": "HK6E_P6Dh8Y93mRNtsDB1Q",
            "hd": "example.com",
            "email": "jsmith@example.com",
            "email_verified": True,
            "iat": 1_353_601_026,
            "exp": 1_353_604_926,
            "nonce": "0394852-3190485-2490358",
            "name": "J. Smith",
        },
        {"domains": "example.com"},
        "J. Smith",
        "jsmith@example.com",
        None,
    ),
    # Microsoft: «ID token claims reference», v2.0; app roles stand in `roles`
    "entra id, app roles": Vendor(
        {
            "ver": "2.0",
            "iss": "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0",
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
            "aud": "6cb04018-a3f5-46a7-b995-940c78f5aef3",
            "exp": 1_536_361_411,
            "iat": 1_536_274_711,
            "nbf": 1_536_274_711,
            "name": "Abe Lincoln",
            "preferred_username": "AbeLi@microsoft.com",
            "oid": "00000000-0000-0000-66f3-3332eca7ea81",
            "tid": "9122040d-6c67-4c5b-b112-36a304b66dad",
            "nonce": "123523",
            "roles": ["Livemon.Developer"],
            "email": "abeli@microsoft.com",
        },
        {"roles_claim": "roles", "developers": "Livemon.Developer"},
        "Abe Lincoln",
        "",
        Role.DEVELOPER,
    ),
    "entra id, groups by their id": Vendor(
        {
            "iss": "https://login.microsoftonline.com/9122040d-6c67-4c5b-b112-36a304b66dad/v2.0",
            "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
            "name": "Abe Lincoln",
            "groups": ["0e129f6b-6b0a-4944-982d-f776045632af", "a59b7b2f-3a4f-4a0f-ae1f-5a0a0d1f0001"],
            "email": "abeli@microsoft.com",
            "xms_edov": True,
        },
        {"admins": "a59b7b2f-3a4f-4a0f-ae1f-5a0a0d1f0001", "emails": "AbeLi@microsoft.com"},
        "Abe Lincoln",
        "abeli@microsoft.com",
        Role.ADMIN,
    ),
    # Okta: «OpenID Connect & OAuth 2.0 API», ID token payload, with a groups claim
    "okta": Vendor(
        {
            "ver": 1,
            "sub": "00uid4BxXw6I6TV4m0g3",
            "iss": "https://example.okta.com",
            "aud": "uAaunofWkaDJxukCFeBx",
            "iat": 1_449_624_026,
            "exp": 1_449_627_626,
            "amr": ["pwd"],
            "jti": "ID.4eAWJOCMB3SX8XewDfVR",
            "auth_time": 1_449_624_026,
            "at_hash": "cpqKfdQA5eH891Ff5oJr_Q",
            "name": "John Doe",
            "nickname": "Jimmy",
            "preferred_username": "john.doe@example.com",
            "given_name": "John",
            "family_name": "Doe",
            "email": "john.doe@example.com",
            "email_verified": True,
            "groups": ["Everyone", "Call Supervisors"],
        },
        {"developers": '["Call Supervisors"]', "domains": "example.com"},
        "John Doe",
        "john.doe@example.com",
        Role.DEVELOPER,
    ),
    # Authentik: the default scope mappings `profile` (groups) and `email` (whose email_verified is false unless changed)
    "authentik": Vendor(
        {
            "iss": "https://auth.example.com/application/o/livemon/",
            "sub": "5b1b1c7e0d6f4a0fa1c0a1cbb1b0a5f8e7c7d9e1b2f3a4c5d6e7f8091a2b3c4d",
            "aud": "livemon",
            "exp": 1_780_000_300,
            "iat": 1_780_000_000,
            "auth_time": 1_779_999_999,
            "acr": "goauthentik.io/providers/oauth2/default",
            "amr": ["pwd"],
            "sid": "c6d5b0b5f2d9",
            "email": "maya@example.com",
            "email_verified": False,
            "name": "Maya Kim",
            "given_name": "Maya Kim",
            "preferred_username": "maya",
            "nickname": "maya",
            "groups": ["authentik Admins", "livemon-members"],
        },
        {"members": "livemon-members", "domains": "example.com", "trust_emails": "true", "unmapped": "refuse"},
        "Maya Kim",
        "maya@example.com",
        Role.MEMBER,
    ),
}


def settings(**more: Any) -> ProviderSettings:
    return ProviderSettings.model_validate({"issuer": "https://id.example.com", "client_id": "livemon", **more})


@pytest.mark.parametrize("vendor", VENDORS.values(), ids=VENDORS)
def test_each_vendors_people_are_who_they_are(vendor):
    found = identity_of(settings(**vendor.settings), vendor.claims)
    assert (found.name, found.email, found.role) == (vendor.name, vendor.email, vendor.role)
    assert found.key == f"oidc:{vendor.claims['iss']} {vendor.claims['sub']}"


ADA = {"iss": "https://id.example.com", "sub": "ada", "email": "ada@example.com", "email_verified": True}
GOOGLE = {"iss": "https://accounts.google.com", "sub": "1", "email_verified": True}
ENTRA = {"iss": "https://login.microsoftonline.com/t/v2.0", "sub": "1", "email": "ada@example.com"}


@pytest.mark.parametrize(
    ("claims", "who"),
    [
        (ADA, {"domains": "example.com"}),
        (ADA, {"domains": "@Example.com, other.example"}),
        (ADA, {"emails": "bob@example.com,ADA@example.com"}),
        (ADA, {"domains": "other.example", "emails": "ada@example.com"}),
        (ADA | {"email_verified": "true"}, {"domains": "example.com"}),
        (ADA | {"email_verified": False}, {"domains": "example.com", "trust_emails": True}),
        (ENTRA | {"xms_edov": "1"}, {"domains": "example.com"}),
        (GOOGLE | {"email": "a@sub.example.com", "hd": "example.com"}, {"domains": "example.com"}),
        (GOOGLE | {"email": "ada@gmail.com"}, {"emails": "ada@gmail.com"}),
    ],
)
def test_who_is_named_comes_in(claims, who):
    assert identity_of(settings(**who), claims)


@pytest.mark.parametrize(
    ("claims", "who"),
    [
        (ADA, {"domains": "other.example"}),
        (ADA, {"domains": "ample.com"}),
        (ADA, {"emails": "bob@example.com"}),
        (ADA | {"email": "ada@example.com.evil.example"}, {"domains": "example.com"}),
        (ADA | {"email": "ada@evil.example@example.com"}, {"domains": "example.com"}),
        (ADA | {"email": "ada@sub.example.com"}, {"domains": "example.com"}),
        (ADA | {"email": ""}, {"domains": "example.com"}),
        (ADA | {"email": ["ada@example.com"]}, {"domains": "example.com"}),
        (ADA | {"email": None}, {"emails": "ada@example.com"}),
        (ADA | {"email_verified": False}, {"domains": "example.com"}),
        (ADA | {"email_verified": "false"}, {"domains": "example.com"}),
        (ADA | {"email_verified": None}, {"emails": "ada@example.com"}),
        (ADA | {"email_verified": {}}, {"emails": "ada@example.com"}),
        (ENTRA, {"domains": "example.com"}),
        (GOOGLE | {"email": "ada@example.com"}, {"domains": "example.com"}),
        (GOOGLE | {"email": "ada@example.com"}, {"emails": "ada@example.com"}),
        (GOOGLE | {"email": "ada@example.com", "hd": "evil.example"}, {"domains": "example.com"}),
        (ADA | {"hd": "other.example"}, {"domains": "other.example"}),
    ],
)
def test_who_is_not_named_or_not_known_to_be_does_not(claims, who):
    with pytest.raises(NotAdmitted):
        identity_of(settings(**who), claims)


def test_an_address_that_nobody_vouches_for_is_not_kept():
    assert identity_of(settings(), ADA | {"email_verified": False}).email == ""


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("groups", ("a", "b c")),
        ("realm_access.roles", ("x",)),
        ("scope", ("read write", "read", "write")),
        ("https://example.com/roles", ("dotted",)),
        ("one.two.three", ("deep",)),
        ("realm_access", None),
        ("realm_access.nothing", None),
        ("groups.a", None),
        ("number", None),
        ("nothing", None),
        ("empty", ()),
        (".", None),
    ],
)
def test_where_the_groups_stand(path, found):
    claims = {
        "groups": ["a", "b c", 7, None, ["x"]],
        "realm_access": {"roles": ["x"]},
        "scope": "read write",
        "https://example.com/roles": ["dotted"],
        "one.two": {"three": ["deep"]},
        "number": 7,
        "empty": [],
    }
    assert values_at(claims, path) == found


@pytest.mark.parametrize(
    ("groups", "role"),
    [(["a", "d", "m"], Role.ADMIN), (["d", "m"], Role.DEVELOPER), (["m"], Role.MEMBER), (["A"], Role.MEMBER)],
)
def test_the_highest_role_counts_and_a_name_counts_as_it_is_written(groups, role):
    assert identity_of(settings(admins="a", developers="d", members="m"), ADA | {"groups": groups}).role is role


@pytest.mark.parametrize("claims", [ADA, ADA | {"groups": ["x"]}, ADA | {"groups": {"a": 1}}, ADA | {"groups": None}])
def test_whom_nothing_gives_a_role_is_a_member_or_refused(claims):
    assert identity_of(settings(admins="a"), claims).role is Role.MEMBER
    with pytest.raises(NotAdmitted):
        identity_of(settings(admins="a", unmapped="refuse"), claims)


@pytest.mark.parametrize(
    "left_out",
    [{"_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://…"}}}, {"hasgroups": True}],
)
def test_groups_that_did_not_fit_into_entras_token_are_no_groups_lost(left_out):
    with pytest.raises(ClaimsElsewhere):
        identity_of(settings(admins="a"), ADA | left_out)
    assert identity_of(settings(), ADA | left_out)
    assert identity_of(settings(roles_claim="roles", admins="a"), ADA | {"hasgroups": True}).role is Role.MEMBER


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"name": "Ada\n\tLovelace\u202e\x00"}, "Ada Lovelace"),
        ({"name": "", "given_name": "Ada", "family_name": "L"}, "Ada L"),
        ({"name": 7, "preferred_username": "ada"}, "ada"),
        ({"name": "x" * 500}, "x" * 100),
        ({"name": "\u202e"}, "ada@example.com"),
        ({"email_verified": False}, "ada"),
    ],
)
def test_everybody_has_a_name_that_can_be_read(claims, name):
    assert identity_of(settings(), ADA | claims).name == name


@pytest.mark.parametrize("sub", [None, "", 7, "x" * 256, ["ada"]])
def test_who_has_no_subject_is_nobody(sub):
    with pytest.raises(TokenRefused):
        identity_of(settings(), ADA | {"sub": sub})
