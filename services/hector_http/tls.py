"""Whose certificates to trust."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from hector_http.errors import CertificatesUnusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How to check a server's certificate. The default is the system's authorities."""

    ca_file: Path | None = None
    """A PEM file of authorities that count besides the system's."""
    verify: bool = True
    """False takes any certificate: for a test machine, and nowhere else."""

    def context(self) -> ssl.SSLContext:
        """Return a context for clients. Reads files: call it in a thread.

        Raises:
            CertificatesUnusable: `ca_file` is not there, or holds no certificate.
        """
        context = ssl.create_default_context()
        context.set_alpn_protocols(["http/1.1"])
        if self.ca_file is not None:
            try:
                context.load_verify_locations(cafile=self.ca_file)
            except (OSError, ssl.SSLError) as error:
                problem = error.strerror if isinstance(error, FileNotFoundError) else "not a PEM file"
                raise CertificatesUnusable(
                    f"cannot read certificates from {self.ca_file} ({problem}); "
                    "what ca_certificate or --ca-certificate names must be a PEM file",
                    path=self.ca_file,
                ) from error
        if not self.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
