"""The errors of this package; a database that does not answer is `livemon.store.errors.StoreError`.

AccessError           somebody cannot be let in, or not made a member; the text is fit to be shown
├── LinkUsed          a sign-in link that was used, has expired, or never was one: nobody is told which
├── BadName           a name that nobody can have
├── UnknownWorkspace  no such workspace
└── UnknownUser       no such person
"""


class AccessError(Exception):
    """Base of what this package refuses."""


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
    def __init__(self, slug: str) -> None:
        super().__init__(
            f"There is no workspace {slug[:64]!r}. Nothing was changed; the one that always exists is 'default'."
        )
        self.slug = slug


class UnknownUser(AccessError):
    def __init__(self, user_id: str) -> None:
        super().__init__(f"There is no person with the id {user_id[:64]!r}. Nothing was changed.")
        self.user_id = user_id
