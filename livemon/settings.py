"""Everything that can be configured, by `LIVEMON_…` in the environment or in a file `.env`. Nothing has to be."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, FilePath, ValidationError, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as NotJson

from livemon.access.oidc.provider_settings import Providers, known_variables
from livemon.access.roles import RIGHTS, Right, Rights, Role, read_rights

Port = Annotated[int, Field(ge=1, le=65_535)]


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:
        good = False
    else:
        good = good and not (parts.query or parts.fragment or parts.username)
    if not good:
        raise ValueError("an address like https://calls.example.com is needed")
    return url.rstrip("/")


def _redis_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("redis", "rediss", "unix") and parts.port != 0
        options = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        good, options = False, {}
    if not good:
        raise ValueError("an address like redis://HOST:6379/0 is needed (or rediss://, unix://)")
    if unknown := [name for name in options if name != "db" and not name.startswith("ssl_")]:
        raise ValueError(f"after the question mark only db=… and ssl_…=… may stand, and not {unknown[0]}")
    return url


def _rights(value: object) -> object:
    return read_rights(value) if isinstance(value, str) else value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


class SettingsError(Exception):
    """Settings that cannot be used; the text names each variable, what is wrong, and what to do. No value is repeated."""

    def __init__(self, error: ValidationError | NotJson | OSError | UnicodeDecodeError) -> None:
        if isinstance(error, NotJson):
            found = [f"LIVEMON_OIDC…: {_provider_words('dict_type', '')}"]  # the only setting that is more than a text
        elif isinstance(error, ValidationError):
            found = [
                f"{_variable(each['loc'])}: {_words(each['loc'], each['type'], each['msg'])}" for each in error.errors()
            ]
        else:
            why = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
            found = [f"the file .env cannot be read ({why}). Make it readable for this user, or move it away."]
        super().__init__(
            "livemon cannot start with these settings (from the environment or .env):\n"
            + "\n".join(f"  {line}" for line in found)
        )


class Settings(BaseSettings):
    """Read once, at the start. `Settings.read()` turns what pydantic finds wrong into words."""

    model_config = SettingsConfigDict(
        env_prefix="LIVEMON_",
        env_nested_delimiter="__",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    host: str = "127.0.0.1"
    """Address to listen on; 0.0.0.0 for all."""
    port: Port = 8080
    public_url: Annotated[str, AfterValidator(_web_address)] | None = None
    """How browsers reach livemon, where a proxy stands in between."""
    trusted_proxies: str = "127.0.0.1"
    """Whose `X-Forwarded-*` is believed: addresses or networks with commas between."""

    data_dir: Path = Path("livemon-data")
    """Valkey's and SQLite's files, unless both stand elsewhere."""
    redis_url: Annotated[str, AfterValidator(_redis_address)] | None = None
    """Redis 7+ or Valkey 8+; without it livemon starts a Valkey of its own."""
    valkey_port: Port = 6379
    """Where livemon's own Valkey listens, on loopback; if it is taken, the next free one of the twenty after it."""
    database_url: str | None = None
    """A file of SQLite's or a PostgreSQL server (`livemon.store.address`); without it SQLite in `data_dir`."""

    takeover_grace: Annotated[int, Field(ge=5, le=3_600)] = 30
    """Seconds that a taken-over caller hears nobody, because the supervisor's connection is lost, before the call ends."""

    oidc: Providers = {}
    """Identity providers by slug: `LIVEMON_OIDC__<NAME>__ISSUER` and so on (docs/sign-in.md)."""

    developer_rights: Annotated[frozenset[Right], NoDecode, BeforeValidator(_rights)] = RIGHTS[Role.DEVELOPER]
    member_rights: Annotated[frozenset[Right], NoDecode, BeforeValidator(_rights)] = RIGHTS[Role.MEMBER]
    """What the role may do, if not what `livemon.access.roles.RIGHTS` says, such as `watch,read,listen`."""

    api_reads: Annotated[int, Field(ge=1, le=1_000_000)] = 1_200
    api_acts: Annotated[int, Field(ge=1, le=1_000_000)] = 300
    """How often a minute one API key may look at calls, and act on them, through `/v2` and `/v3`."""

    audit_days: Annotated[int, Field(ge=1, le=36_500)] = 365
    """How long an entry of the audit log is kept."""

    tls_cert: FilePath | None = None
    tls_key: FilePath | None = None
    """PEM files; with both livemon serves https by itself."""

    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = "info"
    log_format: Annotated[Literal["console", "json"], BeforeValidator(_lower)] = "console"

    @model_validator(mode="after")
    def _certificate_has_a_key(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("LIVEMON_TLS_CERT and LIVEMON_TLS_KEY belong together: set both, or neither")
        return self

    @classmethod
    def read(cls) -> "Settings":
        """Raises `SettingsError`."""
        try:
            return cls()
        except (ValidationError, NotJson, OSError, UnicodeDecodeError) as error:
            raise SettingsError(error) from None  # pydantic's own text repeats the values, passwords among them

    @property
    def rights(self) -> Rights:
        return {**RIGHTS, Role.DEVELOPER: self.developer_rights, Role.MEMBER: self.member_rights}

    @property
    def scheme(self) -> str:
        return "https" if self.tls_cert else "http"

    @property
    def url(self) -> str:
        """Where a browser finds livemon: as configured, or on this machine."""
        return self.public_url or self.own_url

    @property
    def own_url(self) -> str:
        """Where livemon answers on this machine itself."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{(self.data_dir / 'livemon.db').absolute()}"

    @property
    def audit_key(self) -> Path:
        """The file with which the audit log is sealed; nodes on one database share it."""
        return self.data_dir.absolute() / "audit.key"


_NUMBERS: dict[tuple[int | str, ...], str] = {
    ("takeover_grace",): "a number of seconds from 5 to 3600 is needed",
    ("audit_days",): "a number of days from 1 to 36500 is needed",
}


def _variable(loc: tuple[int | str, ...]) -> str:
    return f"LIVEMON_{'__'.join(str(part) for part in loc[:3]).upper()}" if loc else "together"


def _words(loc: tuple[int | str, ...], kind: str, message: str) -> str:
    """What to do, in a person's words where pydantic's are a programmer's."""
    if loc[:1] == ("oidc",):
        return _provider_words(kind, message)
    if kind in ("int_parsing", "int_from_float", "greater_than_equal", "less_than_equal"):
        return _NUMBERS.get(loc, "a port from 1 to 65535 is needed")
    if kind == "path_not_file":
        return "there is no such file; name a PEM file that this user can read"
    return message.removeprefix("Value error, ").replace("Input should be", "it should be")


def _provider_words(kind: str, message: str) -> str:
    if kind == "missing":
        return "it is needed for this provider"
    if kind in ("model_type", "dict_type"):
        return "write LIVEMON_OIDC__<NAME>__ISSUER and so on, with a name of your own for the provider"
    if kind == "extra_forbidden":
        return f"there is no such setting; there are {', '.join(known_variables())}"
    if kind == "string_too_short":
        return "it must not be empty"
    return message.removeprefix("Value error, ").replace("Input should be", "it should be")
