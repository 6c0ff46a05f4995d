"""Everything that can be configured, by `LIVEMON_…` in the environment or in a file `.env`. Nothing has to be."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, FilePath, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

Port = Annotated[int, Field(ge=1, le=65_535)]


def _web_address(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
        raise ValueError("an address like https://calls.example.com is needed")
    return url.rstrip("/")


def _redis_address(url: str) -> str:
    if urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise ValueError("an address like redis://HOST:6379/0 is needed (or rediss://, unix://)")
    return url


class SettingsError(Exception):
    """Settings that cannot be used; the text names each variable, what is wrong, and what to do."""

    def __init__(self, error: ValidationError) -> None:
        lines = [f"  {_variable(each['loc'])}: {each['msg'].removeprefix('Value error, ')}" for each in error.errors()]
        super().__init__(
            "livemon cannot start with these settings (from the environment or .env):\n" + "\n".join(lines)
        )


class Settings(BaseSettings):
    """Read once, at the start. `Settings.read()` turns what pydantic finds wrong into words."""

    model_config = SettingsConfigDict(env_prefix="LIVEMON_", env_file=".env", extra="ignore", frozen=True)

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
    """SQLAlchemy's form; without it SQLite in `data_dir`."""

    tls_cert: FilePath | None = None
    tls_key: FilePath | None = None
    """PEM files; with both livemon serves https by itself."""

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @field_validator("redis_url", "database_url", "public_url", "tls_cert", "tls_key", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return None if value == "" else value

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
        except ValidationError as error:
            raise SettingsError(error) from error

    @property
    def scheme(self) -> str:
        return "https" if self.tls_cert else "http"

    @property
    def url(self) -> str:
        """Where a browser finds livemon: as configured, or on this machine."""
        if self.public_url:
            return self.public_url
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::", "") else self.host  # noqa: S104
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def database(self) -> str:
        return self.database_url or f"sqlite+aiosqlite:///{(self.data_dir / 'livemon.db').absolute()}"


def _variable(loc: tuple[int | str, ...]) -> str:
    return f"LIVEMON_{str(loc[0]).upper()}" if loc else "settings"
