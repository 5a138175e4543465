"""Certificates as an authority issues them, made where a test needs one."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Pair:
    """A certificate and its key."""

    cert_file: Path
    key_file: Path


class Authority:
    """Vouches for servers on this machine; clients trust `file`."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test Authority")])
        made = (
            x509.CertificateBuilder(self._name, self._name, self._key.public_key(), 1)
            .not_valid_before(_days(-400))
            .not_valid_after(_days(400))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), False)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / "ca.pem"
        self.file.write_bytes(made.public_bytes(PEM))

    def issue(
        self,
        name: str = "server",
        *,
        days: tuple[float, float] = (-1, 30),
        password: str = "",
        for_clients: bool = False,
    ) -> Pair:
        """Issue a certificate for localhost, valid from and until so many days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        here = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        purpose = (
            x509.ExtendedKeyUsageOID.CLIENT_AUTH if for_clients else x509.ExtendedKeyUsageOID.SERVER_AUTH
        )
        number = x509.random_serial_number()
        made = (
            x509.CertificateBuilder(self._name, subject, key.public_key(), number)
            .not_valid_before(_days(days[0]))
            .not_valid_after(_days(days[1]))
            .add_extension(x509.SubjectAlternativeName(here), False)
            .add_extension(x509.ExtendedKeyUsage([purpose]), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), False)
            .sign(self._key, hashes.SHA256())
        )
        hidden = (
            serialization.BestAvailableEncryption(password.encode())
            if password
            else serialization.NoEncryption()
        )
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        pair.cert_file.write_bytes(made.public_bytes(PEM))
        pair.key_file.write_bytes(key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, hidden))
        return pair


def _days(number: float) -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=number)
