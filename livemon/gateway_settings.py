"""What `livemon gateway` can be told by `LIVEMON_…` in the environment or in .env; its flags say the same, and win."""

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from livemon_runtime.adapters.twilio.options import BadOption, Options

Port = Annotated[int, Field(ge=1, le=65_535)]
_P = "twilio_"


class GatewaySettings(BaseSettings):
    """`LIVEMON_TWILIO_BOT` and so on. `GatewaySettings.read(...)` turns what is wrong into words."""

    model_config = SettingsConfigDict(
        env_prefix="LIVEMON_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
    )

    twilio_bot: str = ""
    twilio_host: str = "127.0.0.1"
    twilio_port: Port = 8090
    twilio_public_url: str | None = None
    twilio_auth_token: str | None = None
    twilio_account_sid: str | None = None
    twilio_api_key: str | None = None
    twilio_api_secret: str | None = None
    twilio_api_url: str | None = None
    twilio_after: str | None = None
    twilio_agent_name: str | None = None
    twilio_direction: Literal["inbound", "outbound"] | None = None
    twilio_stt: str = "none"
    """As `livemon_runtime.adapters.hearing.open_engine` takes it."""
    twilio_max_calls: Annotated[int, Field(ge=1, le=10_000)] = 200
    twilio_drain: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    twilio_workspace: str = "default"
    trusted_proxies: str = "127.0.0.1"
    redis_url: str | None = None
    valkey_port: Port = 6379
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["console", "json"] = "console"

    @classmethod
    def read(cls, given: dict[str, Any]) -> "GatewaySettings":
        """`given`: by flag; what is None there was not said. Raises `BadOption`."""
        try:
            return cls(**{name: value for name, value in given.items() if value is not None})
        except ValidationError as error:
            first = error.errors()[0]
            name = "_".join(str(part) for part in first["loc"])
            raise BadOption(
                f"LIVEMON_{name.upper()}", first["msg"].replace("Input should be", "it should be")
            ) from None

    @property
    def redis(self) -> str:
        """As livemon's own: its Valkey on this machine, unless another is named."""
        return self.redis_url or f"redis://127.0.0.1:{self.valkey_port}/0"

    def options(self, *, insecure: bool) -> Options:
        """Checked; `insecure` comes by flag alone, so that nobody inherits it from a file. Raises `BadOption`."""
        own = {name.removeprefix(_P): value for name, value in self if name.startswith(_P)}
        for name in ("drain", "workspace"):
            del own[name]
        return Options(**own, trusted_proxies=self.trusted_proxies, insecure=insecure).check()
