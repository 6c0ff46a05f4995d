"""Certificates that sign themselves, for tests of https."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificate(
    folder: Path,
    *names: str,
    begins: timedelta = timedelta(days=-1),
    ends: timedelta = timedelta(days=90),
    password: bytes | None = None,
) -> dict[str, str]:
    """LIVEMON_TLS_CERT and LIVEMON_TLS_KEY, valid for `names` from now plus `begins` until now plus `ends`."""
    folder.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "livemon's tests")])
    making = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )
    if names:
        making = making.add_extension(x509.SubjectAlternativeName([_general(each) for each in names]), critical=False)
    certificate = making.sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    locked = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked)
    (folder / "key.pem").write_bytes(pem)
    return {"LIVEMON_TLS_CERT": str(folder / "cert.pem"), "LIVEMON_TLS_KEY": str(folder / "key.pem")}


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
