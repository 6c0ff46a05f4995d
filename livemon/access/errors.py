"""The errors of this package; a database that does not answer is `livemon.store.errors.StoreError`.

AccessError           somebody cannot be let in, or not made a member; the text is fit to be shown
├── LinkUsed          a sign-in link that was used, has expired, or never was one: nobody is told which
├── BadName           a name that nobody can have
├── UnknownWorkspace  no such workspace
├── WorkspaceThere    a workspace's slug that is taken
├── BadWorkspaceName  a name that no workspace can have
├── TooManyWorkspaces as many as there may be are there
├── SessionOver       a session that is over in the moment in which it should move
├── UnknownUser       no such person
├── BadKey            an API key that nobody can have been given
├── TooManyKeys       a workspace has no room for another key
├── UnknownKey        no such API key in this workspace
├── KeyRefused        an API key that lets nobody in: nobody is told why
├── TooManyFailures   nobody could be let in from an address too often
├── NotAdmin          whoever makes a change is no Admin of that workspace at this moment
├── NotHere           what is to be changed is not there, or belongs to another workspace: nobody is told which
├── LastAdmin         a workspace without an Admin, which nobody could enter any more to make one
├── RoleByProvider    a role that an identity provider's claims give anew at each sign-in
├── NoLinkFor         somebody whom no Admin's link may sign in
├── InvitationUsed    an invitation that was used, was revoked, has expired, or never was one: nobody is told which
├── TooManyInvitations  a workspace has no room for another open invitation
├── AlreadyMember     an invitation to where somebody belongs already
├── JoinByProvider    an invitation that somebody has to bring to the provider which decides what they are
├── AlreadyUsed       an invitation that somebody has used cannot be taken back
└── NameTaken         an invitation lets nobody in as somebody who is there already
"""

from livemon.store.audit.acts import Act


class AccessError(Exception):
    """Base of what this package refuses."""

    about: str = ""
    """Whom or what it is about, as the audit log names it, if that is known."""


class LinkUsed(AccessError):
    def __init__(self) -> None:
        super().__init__(
            "This sign-in link has been used or has expired, so nobody was signed in. Ask for a new one: on the server "
            "`livemon sign-in-link` prints it."
        )


class BadName(AccessError, ValueError):
    def __init__(self, most: int) -> None:
        super().__init__(
            f"A person's name has 1 to {most} characters that can be printed. Nothing was changed; choose another name."
        )


class UnknownWorkspace(AccessError, ValueError):
    """`setting` names what asks for it, if somebody has set it."""

    def __init__(self, slug: str, setting: str = "") -> None:
        super().__init__(
            f"{setting and setting + ': '}There is no workspace {slug[:64]!r}. Nothing was changed; the one that always "
            "exists is 'default', `livemon workspaces` lists all, and `livemon add-workspace` makes one."
        )
        self.slug = slug


class WorkspaceThere(AccessError, ValueError):
    def __init__(self, slug: str) -> None:
        super().__init__(f"There is a workspace {slug[:64]!r} already. Nothing was changed; choose another slug.")


class BadWorkspaceName(AccessError, ValueError):
    def __init__(self, most: int) -> None:
        super().__init__(
            f"A workspace's name has 1 to {most} characters that can be printed. Nothing was changed; choose another name."
        )


class TooManyWorkspaces(AccessError, ValueError):
    def __init__(self, most: int) -> None:
        super().__init__(
            f"There are {most} workspaces, as many as one livemon looks after. Nothing was changed; run a second livemon "
            "for more."
        )


class SessionOver(AccessError):
    def __init__(self) -> None:
        super().__init__("Your session has just ended, so nothing was changed. Sign in, then try again.")


class UnknownUser(AccessError):
    def __init__(self, user_id: str) -> None:
        super().__init__(f"There is no person with the id {user_id[:64]!r}. Nothing was changed.")
        self.user_id = user_id


class BadKey(AccessError, ValueError):
    """`what` is the part of it that cannot be."""

    def __init__(self, what: str) -> None:
        super().__init__(f"There can be no such API key: {what}. No key was made. Change that, then try again.")


class TooManyKeys(AccessError):
    def __init__(self, most: int) -> None:
        super().__init__(
            f"This workspace has {most} API keys that are good, and can have no more. No key was made. Revoke one that "
            "nothing uses, then try again."
        )


class UnknownKey(AccessError):
    def __init__(self) -> None:
        super().__init__("There is no such API key in this workspace, so nothing was revoked. Load the list anew.")


class NotAdmin(AccessError):
    def __init__(self) -> None:
        super().__init__(
            "This is for Admins, and you are none in this workspace at this moment. Nothing was changed; ask an admin of "
            "your workspace."
        )


class NotHere(AccessError):
    """`what` is it, in words."""

    def __init__(self, what: str) -> None:
        super().__init__(f"There is no such {what} in this workspace (any more). Nothing was changed; reload the page.")


class LastAdmin(AccessError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name} is the last Admin of this workspace, so nothing was changed: nobody could let anyone in any more. Make "
            "somebody else an Admin first."
        )
        self.about = name


class RoleByProvider(AccessError):
    def __init__(self, name: str, provider: str) -> None:
        super().__init__(
            f"{provider} decides what {name} is, anew at each sign-in, so nothing was changed. Change the groups or roles "
            "there."
        )
        self.about = name


class NoLinkFor(AccessError):
    """`code` says why, for programs."""

    def __init__(self, code: str, name: str, why: str) -> None:
        super().__init__(why)
        self.code, self.about = code, name

    @classmethod
    def by_provider(cls, name: str, provider: str) -> "NoLinkFor":
        return cls(
            "by_provider",
            name,
            f"{name} signs in with {provider}, so there is no link for them. Have them sign in there.",
        )

    @classmethod
    def elsewhere(cls, name: str) -> "NoLinkFor":
        return cls(
            "elsewhere",
            name,
            f"{name} belongs to other workspaces too, which a link would open as well, so none was made. Whoever runs "
            "livemon can make one on the server: `livemon sign-in-link`.",
        )


class InvitationUsed(AccessError):
    def __init__(self) -> None:
        super().__init__(
            "This invitation has been used, has been taken back or has expired, so you have not joined. Ask whoever invited "
            "you for a new one."
        )


class AlreadyUsed(AccessError):
    """`name`: who has used it; `invited`: what whoever made it called them."""

    def __init__(self, name: str, invited: str) -> None:
        super().__init__(
            f"{name or 'Somebody'} has used this invitation already, so it cannot be taken back. Remove them from the "
            "workspace if they should not be in it."
        )
        self.about = invited


class NameTaken(AccessError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"Somebody here is called {name!r} already, so you have not joined. Choose another name, such as with your last "
            "name; the invitation is still good. If that is you, sign in, then open the invitation's link again: you join as "
            "yourself. If you cannot sign in any more, ask for an invitation that is made out to exactly this name."
        )


class TooManyInvitations(AccessError):
    def __init__(self, most: int) -> None:
        super().__init__(
            f"This workspace has {most} open invitations, and can have no more. Nobody was invited. Revoke one that nobody is "
            "going to use, then try again."
        )


class AlreadyMember(AccessError):
    def __init__(self, name: str) -> None:
        super().__init__(
            f"You are {name}, who belongs to this workspace already, so nothing was changed and the invitation is still good. "
            "Go there by the workspace's name; an admin there changes your role."
        )


class JoinByProvider(AccessError):
    def __init__(self, provider: str) -> None:
        super().__init__(
            f"{provider} decides what you are in that workspace, so you have not joined yet; the invitation is still good. "
            f"Join with {provider} instead."
        )


class KeyRefused(AccessError):
    """`act` is for the audit log alone."""

    def __init__(self, act: Act) -> None:
        super().__init__(
            "This API key lets nobody in: it is not known, was revoked, or has expired. Nothing was done. Ask an admin of "
            "the workspace for a new key."
        )
        self.act = act


class TooManyFailures(AccessError):
    """`wait_s`: in how many seconds it is worth trying again."""

    problem = "limited"

    def __init__(self, wait_s: int) -> None:
        super().__init__(
            "Signing in from your address has failed too often, so nobody new is let in from there for a while. Whoever is "
            f"signed in stays so. Try again in {_minutes(wait_s)}, with a good link or key."
        )
        self.wait_s = wait_s


def _minutes(seconds: int) -> str:
    """Rounded up."""
    minutes = -(-seconds // 60)
    return f"{minutes} minutes" if minutes > 1 else "a minute"
