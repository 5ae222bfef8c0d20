"""A certificate authority for the province, made anew for each lab."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def _begin(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, days: float
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    ends = now + datetime.timedelta(days=days)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(min(now, ends) - datetime.timedelta(days=1))
        .not_valid_after(ends)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    """Issues certificates; its own is `ca.pem` in the folder."""

    def __init__(self, folder: Path, *, above: Authority | None = None, days: float = 365) -> None:
        """`above`: who signs this one's certificate, which then goes along with each that it issues."""
        self._folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.subject = _name("Province lab CA" if above is None else "Province lab intermediate CA")
        self._chain = b""
        signer = above or self
        made = (
            _begin(self.subject, signer.subject, self.key.public_key(), days)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1 if above is None else 0), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()), critical=False)
            .sign(signer.key, hashes.SHA256())
        )
        self.ca = folder / "ca.pem"
        self.ca.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        if above is not None:
            self._chain = self.ca.read_bytes()

    def issue(self, file: str, names: Sequence[str], days: float = 90) -> tuple[Path, Path]:
        """Certificate and key files for `names` (host names or addresses), valid for `days`, which may be in the past."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = x509.SubjectAlternativeName([_alternative(each) for each in names])
        certificate = (
            _begin(_name(names[0]), self.subject, key.public_key(), days)
            .add_extension(alternatives, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        paths = self._folder / f"{file}.pem", self._folder / f"{file}.key"
        paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + self._chain)
        paths[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return paths


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
