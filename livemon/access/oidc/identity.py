"""From a provider's claims to a person: who they are, whether the settings let them in, and in which role. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from livemon.access.members import MAX_NAME
from livemon.access.roles import Role

from .errors import ClaimsElsewhere, NotAdmitted, TokenRefused, Unmapped
from .provider_settings import ProviderSettings

Claims = Mapping[str, Any]

GOOGLE = "https://accounts.google.com"
MAX_SUBJECT = 255
"""OpenID Connect Core 1.0, section 2: `sub` «MUST NOT exceed 255 ASCII characters»."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the provider has signed in. `email` is empty unless it is known to be theirs."""

    issuer: str
    subject: str
    name: str
    email: str
    role: Role | None
    """None: the claims do not decide it."""

    @property
    def key(self) -> str:
        """By what the person is found again; no issuer has a space in it."""
        return f"oidc:{self.issuer} {self.subject}"


def identity_of(settings: ProviderSettings, claims: Claims, *, invited: Role | None = None) -> Identity:
    """The person, if the settings let them in: else raises `NotAdmitted`, `ClaimsElsewhere`, `TokenRefused`.

    `invited` is what an invitation has made of somebody for whom the claims name no role.
    """
    return replace(who_of(settings, claims), role=_role(settings, claims, invited))


def who_of(settings: ProviderSettings, claims: Claims) -> Identity:
    """As `identity_of`, whatever the claims say of roles: e-mail addresses and domains alone decide."""
    issuer, subject = claims.get("iss"), subject_of(claims)
    if not isinstance(issuer, str) or not issuer:
        raise TokenRefused("it has no issuer")
    email = _email(settings, claims)
    if (settings.domains or settings.emails) and not _may_come(settings, claims, email):
        raise NotAdmitted("neither their e-mail address nor its domain is among those that may come in")
    return Identity(issuer, subject, _name(claims, email, subject), email, None)


def key_of(claims: Claims) -> str:
    """`Identity.key` of somebody who may not be let in."""
    return Identity(str(claims.get("iss")), subject_of(claims), "", "", None).key


def subject_of(claims: Claims) -> str:
    """Who it is at the provider, for good. Raises `TokenRefused`."""
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise TokenRefused("its subject (sub) is no text of 1 to 255 characters")
    return subject


def values_at(claims: Claims, path: str) -> tuple[str, ...] | None:
    """The texts that stand in the claims at a dotted path; None if nothing does.

    A text counts as a whole and by its words. A name may itself have dots in it (`https://example.com/roles`).
    """
    found = _at(claims, path.split("."))
    if isinstance(found, str):
        return tuple(dict.fromkeys([found, *found.split()]))
    if isinstance(found, list):
        return tuple(each for each in cast("list[object]", found) if isinstance(each, str))
    return None


def _at(found: object, parts: Sequence[str]) -> object:
    if not parts:
        return found
    if isinstance(found, Mapping):
        claims = cast("Claims", found)
        for length in range(len(parts), 0, -1):
            name = ".".join(parts[:length])
            if name in claims and (inner := _at(claims[name], parts[length:])) is not None:
                return inner
    return None


def _role(settings: ProviderSettings, claims: Claims, invited: Role | None) -> Role | None:
    if not settings.maps_roles:
        return None
    values = values_at(claims, settings.roles_claim)
    if values is None and _left_out(claims, settings.roles_claim):
        raise ClaimsElsewhere(settings.roles_claim)
    mapped = ((Role.ADMIN, settings.admins), (Role.DEVELOPER, settings.developers), (Role.MEMBER, settings.members))
    for role, names in mapped:
        if not set(names).isdisjoint(values or ()):
            return role
    if invited is not None:
        return invited
    if settings.unmapped == "refuse":
        raise Unmapped(f"none of what stands in {settings.roles_claim} gives a role here")
    return Role.MEMBER


def _left_out(claims: Claims, name: str) -> bool:
    """Entra ID leaves groups out of a token that would grow too large, and says so in one of these ways."""
    elsewhere = claims.get("_claim_names")
    listed = isinstance(elsewhere, Mapping) and name in cast("Claims", elsewhere)
    return listed or (name == "groups" and _is_true(claims.get("hasgroups")))


def _email(settings: ProviderSettings, claims: Claims) -> str:
    """The address in lower case, if the provider vouches for it."""
    email = claims.get("email")
    if not isinstance(email, str) or email.count("@") != 1 or not email.isprintable() or len(email) > 254:
        return ""
    email = email.lower()
    if settings.trust_emails:
        return email
    # xms_edov: Entra ID's word that the tenant owns the domain; it sends no email_verified
    verified = _is_true(claims.get("email_verified")) or _is_true(claims.get("xms_edov"))
    return email if verified and (claims.get("iss") != GOOGLE or _google_vouches(claims, email)) else ""


def _google_vouches(claims: Claims, email: str) -> bool:
    """Anybody may have had another's address confirmed once; Google answers for those of its own customers alone.

    https://developers.google.com/identity/gsi/web/guides/verify-google-id-token: `hd`, or an address of gmail.com.
    """
    return email.endswith("@gmail.com") or _hosted(claims) != ""


def _may_come(settings: ProviderSettings, claims: Claims, email: str) -> bool:
    if email and email in settings.emails:
        return True
    domain = email.rpartition("@")[2]
    if claims.get("iss") == GOOGLE:
        domain = _hosted(claims) or domain
    return bool(domain) and domain in settings.domains


def _hosted(claims: Claims) -> str:
    """The domain whose Google Workspace the person belongs to."""
    hosted = claims.get("hd")
    return hosted.lower() if isinstance(hosted, str) else ""


def _name(claims: Claims, email: str, subject: str) -> str:
    """What others read: never empty, without anything that would not show."""
    parts = (claims.get("given_name"), claims.get("family_name"))
    joined = " ".join(part for part in parts if isinstance(part, str))
    for candidate in (claims.get("name"), joined, claims.get("preferred_username"), email, subject):
        if isinstance(candidate, str):
            shown = " ".join("".join(one for one in word if one.isprintable()) for word in candidate.split()).strip()
            if shown:
                return shown[:MAX_NAME].strip()
    return "?"


def _is_true(value: object) -> bool:
    """Some providers send the word in place of the truth value, Entra ID also a 1."""
    return value is True or (isinstance(value, str) and value.lower() in ("true", "1")) or (value == 1)
