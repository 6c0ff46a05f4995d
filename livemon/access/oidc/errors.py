"""Why single sign-on signed nobody in. The text is for the log; `problem` names the words that the page shows.

OidcError           base
├── ProviderAway    the provider cannot be reached, or answers what is no OpenID Connect; may work again later
├── ProviderRefused the provider says no: `error` is its own code
├── TokenRefused    a token that is not what it should be: nothing in it is believed
├── AttemptGone     no such sign-in was begun in this browser, it was finished already, or it took more than ten minutes
├── TooManyAttempts more sign-ins were begun than are kept
├── SignedOutMeanwhile the provider has signed them out while they were signing in here
├── NotAdmitted     the settings do not let this person in
│   └── Unmapped    for their claims give no role, or they are new; by their address they might come in
├── InvitationGone  the invitation that they brought was used, was taken back or has expired meanwhile
└── ClaimsElsewhere the groups are too many for the token (Entra ID), so nobody knows the role
"""


class OidcError(Exception):
    """Base of what this package refuses."""

    problem: str = "failed"
    about: str = ""
    """Whom it is about, if that is known for sure: their key (`Identity.key`)."""


class ProviderAway(OidcError):
    problem = "away"


class ProviderRefused(OidcError):
    problem = "refused"

    def __init__(self, error: str) -> None:
        super().__init__(f"the provider answered {error[:100]!r}")
        self.error = error
        if error == "access_denied":
            self.problem = "denied"


class TokenRefused(OidcError):
    problem = "token"


class AttemptGone(OidcError):
    problem = "gone"


class TooManyAttempts(OidcError):
    problem = "busy"


class SignedOutMeanwhile(OidcError):
    problem = "signed_out"

    def __init__(self) -> None:
        super().__init__("the provider has signed this person out while they were signing in")


class NotAdmitted(OidcError):
    problem = "not_admitted"


class Unmapped(NotAdmitted):
    """Somebody who would be let in by an invitation."""


class InvitationGone(OidcError):
    problem = "invitation"

    def __init__(self) -> None:
        super().__init__("their invitation was used, was taken back or has expired while they were signing in")


class ClaimsElsewhere(OidcError):
    problem = "groups"

    def __init__(self, claim: str) -> None:
        super().__init__(
            f"the provider left {claim!r} out of the token because there are too many; have it send only the groups "
            "that are assigned to livemon, or app roles"
        )
