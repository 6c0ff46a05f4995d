"""What a provider says of itself (OpenID Connect Discovery 1.0): where to send people, codes and questions."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from .errors import ProviderAway
from .provider_settings import is_secure

PATH = "/.well-known/openid-configuration"


def _secure(url: str) -> str:
    if not is_secure(url):
        raise ValueError("it is not https")
    return url


Endpoint = Annotated[str, AfterValidator(_secure)]


class Metadata(BaseModel):
    """The parts that livemon uses."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    issuer: str
    authorization_endpoint: Endpoint
    token_endpoint: Endpoint
    jwks_uri: Endpoint
    userinfo_endpoint: Endpoint | None = None
    end_session_endpoint: Endpoint | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    id_token_signing_alg_values_supported: list[str] | None = None
    code_challenge_methods_supported: list[str] | None = None
    authorization_response_iss_parameter_supported: bool | None = None
    backchannel_logout_supported: bool | None = None


def address_of(issuer: str) -> str:
    """Where the metadata of an issuer stand."""
    return issuer.rstrip("/") + PATH


def read_metadata(found: object, issuer: str) -> Metadata:
    """Those of `issuer`, and of nobody else. Raises `ProviderAway`."""
    try:
        metadata = Metadata.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        what = ".".join(str(part) for part in first["loc"]) or "everything"
        raise ProviderAway(f"what it says of itself cannot be used ({what}: {first['msg']})") from None
    # a slash at the end is forgotten easily, and leads to the same document
    if metadata.issuer.rstrip("/") != issuer.rstrip("/"):
        raise ProviderAway(f"it calls itself {metadata.issuer[:200]!r}, and the setting ISSUER says {issuer!r}")
    return metadata
