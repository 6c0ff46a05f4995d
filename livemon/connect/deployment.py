"""What the lines to copy have to name of this livemon, for one workspace and whoever has come by one address. Pure."""

from dataclasses import dataclass

from .address import RedisAddress


@dataclass(frozen=True, slots=True)
class Deployment:
    """`origin`: how programs reach livemon, without a slash at its end; `embedded`: livemon runs its Redis by itself.

    `shared`: there are other workspaces on the same Redis, whose password opens all of them.
    """

    address: RedisAddress
    embedded: bool
    workspace: str
    origin: str
    shared: bool = False

    @property
    def may_be_shown(self) -> bool:
        """Whether an Admin of this workspace may have the password: not where it opens others', too."""
        return self.address.has_secret and not self.shared
