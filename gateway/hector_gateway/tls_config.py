"""The keys of `server.tls:`."""

from typing import Self

from pydantic import model_validator

from hector_config import Misfit, ProjectPath, Section


class TLSConfig(Section):
    """Encrypt both ports. The files are looked at every minute: a renewed certificate needs no restart."""

    enabled: bool | None = None
    """Left out: as soon as there is a certificate."""
    cert_file: ProjectPath | None = None
    """PEM file with the certificate, and the intermediate ones behind it."""
    key_file: ProjectPath | None = None
    """PEM file with its private key, without a password."""

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.enabled is False:
            return self
        for key, other in (("cert_file", "key_file"), ("key_file", "cert_file")):
            if getattr(self, key) is None and (self.enabled or getattr(self, other) is not None):
                raise Misfit(f"TLS needs {key}, too", at=(key,))
        return self

    @property
    def wanted(self) -> bool:
        """Whether the ports speak TLS."""
        return self.enabled is not False and self.cert_file is not None
