"""The ID token that a provider asks for when somebody signs out, kept so that the store alone cannot tell it.

Some providers (Okta) sign nobody out without it, and others ask the person once more, so it has to be kept. It is
encrypted with a key that only the browser has, in a cookie of its own: neither the store, nor a copy of it, nor the data
folder gives it away, and nodes have nothing to share.
"""

from dataclasses import dataclass, field

from cryptography.fernet import Fernet, InvalidToken

COOKIE = "livemon_sign_out"


@dataclass(frozen=True, slots=True)
class Hint:
    """`key` is for the browser's cookie, `sealed` for the store."""

    key: str = field(repr=False)
    sealed: str


def seal(id_token: str) -> Hint:
    """Encrypted with a key of its own."""
    key = Fernet.generate_key()
    return Hint(key.decode("ascii"), Fernet(key).encrypt(id_token.encode()).decode("ascii"))


def unseal(sealed: str | None, key: str | None) -> str | None:
    """The ID token; None if there is none, or the browser has not its key."""
    if not sealed or not key:
        return None
    try:
        return Fernet(key.encode("ascii")).decrypt(sealed.encode("ascii")).decode()
    except (InvalidToken, ValueError):
        return None
