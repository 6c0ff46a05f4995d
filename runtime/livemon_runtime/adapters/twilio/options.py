"""What the gateway has to be told, checked, with words for what is wrong."""

from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network, ip_network
from urllib.parse import urlsplit

from ...errors import LivemonError


class BadOption(LivemonError, ValueError):
    """`option` cannot be used as it is; the text says what to do."""

    def __init__(self, option: str, words: str) -> None:
        super().__init__(f"{option}: {words}")
        self.option = option


@dataclass(frozen=True)
class Options:
    bot: str
    """The bot's own stream: wss://…, or ws://… within one's own network."""
    host: str = "127.0.0.1"
    port: int = 8090
    public_url: str | None = None
    """Where Twilio reaches the gateway: https://HOST[:PORT][/PATH]."""
    trusted_proxies: str = "127.0.0.1"
    auth_token: str | None = field(default=None, repr=False)
    insecure: bool = False
    account_sid: str | None = None
    api_key: str | None = None
    api_secret: str | None = field(default=None, repr=False)
    api_url: str | None = None
    after: str | None = None
    """TwiML that follows when the bot has hung up."""
    agent_name: str | None = None
    direction: str | None = None
    stt: str = "none"
    max_calls: int = 200
    start_timeout: float = 10.0
    bot_timeout: float = 5.0

    def check(self) -> "Options":
        """Itself, or raises `BadOption`."""
        _address("--bot", self.bot, "ws", "wss")
        if self.public_url:
            _address("--public-url", self.public_url, "http", "https")
        if self.after:
            _address("--after", self.after, "http", "https")
        if not self.auth_token and not self.insecure:
            raise BadOption(
                "LIVEMON_TWILIO_AUTH_TOKEN",
                "without it anybody could pretend to be Twilio: make calls appear, and talk to your bot. It is in Twilio's "
                "console, beside the account's SID. To run without, in a closed network, say --insecure",
            )
        if bool(self.api_key) != bool(self.api_secret):
            raise BadOption("LIVEMON_TWILIO_API_KEY", "key and secret belong together: set both, or neither")
        if self.direction not in (None, "inbound", "outbound"):
            raise BadOption("--direction", "inbound or outbound is needed")
        _ = self.trusted
        return self

    @property
    def bot_shown(self) -> str:
        """The bot's address for people and logs: without the user, the password and the query that may stand in it."""
        parts = urlsplit(self.bot)
        return f"{parts.scheme}://{parts.netloc.rsplit('@', 1)[-1]}{parts.path}"

    @property
    def credentials(self) -> tuple[str, str, str] | None:
        """Account, user and secret for Twilio's REST API; None if livemon cannot end calls by it."""
        if self.account_sid and self.api_key and self.api_secret:
            return self.account_sid, self.api_key, self.api_secret
        if self.account_sid and self.auth_token:
            return self.account_sid, self.account_sid, self.auth_token
        return None

    @property
    def trusted(self) -> list[IPv4Network | IPv6Network]:
        try:
            return [ip_network(each.strip(), strict=False) for each in self.trusted_proxies.split(",") if each.strip()]
        except ValueError:
            raise BadOption("--trusted-proxies", "addresses or networks with commas between are needed") from None


def _address(option: str, url: str, *schemes: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and not parts.fragment
    except ValueError:
        good = False
    if not good:
        raise BadOption(option, f"an address like {schemes[-1]}://HOST/PATH is needed")
