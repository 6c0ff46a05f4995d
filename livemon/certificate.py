"""The certificate by which livemon serves https itself: whether it can be used, and whether browsers will take it."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from cryptography import x509

from livemon.finding import Finding, Grade
from livemon.settings import Settings

EXPIRES_SOON = timedelta(days=14)


class CertificateError(Exception):
    """The certificate or its key cannot be used; the text says why, and what to do."""


def check_pair(certificate: Path, key: Path) -> None:
    """See that the server can use them, and never ask for a key's password. Raises `CertificateError`."""
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key, password=lambda: "")
    except (ssl.SSLError, OSError, ValueError) as error:
        raise CertificateError(
            f"The certificate {certificate} and the key {key} cannot be used ({error}). Both have to be PEM files without"
            " a password, and belong to each other: see LIVEMON_TLS_CERT and LIVEMON_TLS_KEY."
        ) from error


def examine_certificate(settings: Settings) -> list[Finding]:
    """What a browser would find wrong with it; nothing where livemon serves no https itself."""
    if settings.tls_cert is None or settings.tls_key is None:
        return []
    try:
        check_pair(settings.tls_cert, settings.tls_key)
        certificate = x509.load_pem_x509_certificate(settings.tls_cert.read_bytes())
    except CertificateError as error:
        what, _, advice = str(error).partition("). ")
        return [Finding(Grade.PROBLEM, f"{what})", advice)]
    except (OSError, ValueError) as error:
        return [
            Finding(Grade.PROBLEM, f"The certificate {settings.tls_cert} cannot be read ({error})", "Get a new one.")
        ]
    return [_expiry(settings.tls_cert, certificate), *_names(settings, certificate)]


def _expiry(path: Path, certificate: x509.Certificate) -> Finding:
    begins, ends, now = certificate.not_valid_before_utc, certificate.not_valid_after_utc, datetime.now(UTC)
    if ends < now:
        return Finding(
            Grade.PROBLEM,
            f"The certificate {path} has expired on {ends:%Y-%m-%d}: browsers refuse the page",
            "Renew it, and start livemon again.",
        )
    if begins > now:
        return Finding(
            Grade.PROBLEM,
            f"The certificate {path} is good from {begins:%Y-%m-%d %H:%M} UTC only: browsers refuse the page till then",
            "See that this machine's clock is right; if it is, wait, or get another certificate.",
        )
    if ends - now < EXPIRES_SOON:
        return Finding(
            Grade.WARNING,
            f"The certificate {path} expires in {(ends - now).days} days",
            "Renew it soon, and start livemon again.",
        )
    return Finding(Grade.OK, f"The certificate {path} is good until {ends:%Y-%m-%d}")


def _names(settings: Settings, certificate: x509.Certificate) -> list[Finding]:
    """Only a name that people type can be compared, and that is the public one."""
    host = urlsplit(settings.public_url or "").hostname
    if host is None:
        return []
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        named: list[str] = []
    else:
        named = [*names.get_values_for_type(x509.DNSName), *map(str, names.get_values_for_type(x509.IPAddress))]
    wildcard = f"*.{host.partition('.')[2]}"
    if {host, wildcard} & {name.lower() for name in named}:
        return [Finding(Grade.OK, f"It is for {host}")]
    return [
        Finding(
            Grade.PROBLEM,
            f"The certificate is for {', '.join(named) or 'no name at all'}, not for {host}: browsers refuse the page",
            f"Get one for {host}, or set LIVEMON_PUBLIC_URL to a name that it has.",
        )
    ]
