"""TLS for both ports: a certificate that proves to work before anything listens, and is renewed in place."""

import asyncio
import logging
import os
import ssl
import time
from pathlib import Path

import grpc
from grpc import StatusCode

from hector_mesh import HectorError
from hector_mesh.metrics import Gauge

from .tls_config import TLSConfig

LOOK_S = 60.0
"""How often the files are looked at."""
SOON_S, REMIND_S = 14 * 86400.0, 86400.0
"""How long before a certificate expires the log begins to say so, and how often."""

EXPIRES = Gauge(
    "hector_tls_certificate_expiry_timestamp_seconds",
    "When the public ports' certificate expires, in Unix time.",
)

log = logging.getLogger(__name__)


class TLSUnusable(HectorError):
    """Certificate or key are missing, expired, or do not belong together."""

    code, reason = StatusCode.FAILED_PRECONDITION, "TLS_UNUSABLE"


class TLS:
    """A certificate and its key, for an HTTP server and a gRPC server."""

    def __init__(self, config: TLSConfig) -> None:
        """Read the files and try them.

        Raises:
            TLSUnusable: They are of no use; the message says which, and what to do.
        """
        assert config.cert_file is not None
        assert config.key_file is not None
        self._cert, self._key = config.cert_file, config.key_file
        self._seen = self._looks()
        self._pair = self._read()
        self.context = self._newest = _context(self._cert, self._key, *self._pair)
        # Never changed under way: whoever calls is handed to the newest one.
        self.context.sni_callback = lambda ssl_object, *_: setattr(ssl_object, "context", self._newest)
        self._note(_expires(self.context, self._cert))

    def credentials(self) -> grpc.ServerCredentials:
        """Return the same for a gRPC server; what is renewed later is fetched at each handshake."""
        given = self._pair

        def fetch() -> "grpc.ServerCertificateConfiguration | None":
            nonlocal given
            if given == self._pair:
                return None
            given = self._pair
            return _for_grpc(given)

        found: grpc.ServerCredentials = grpc.dynamic_ssl_server_credentials(
            _for_grpc(given),
            fetch,  # type: ignore[arg-type]  # None is "as before"
        )
        return found

    async def kept_fresh(self) -> None:
        """Take new files into use when they appear, for ever. Files that are of no use change nothing."""
        while True:
            await asyncio.sleep(LOOK_S)
            await asyncio.to_thread(self.look)
            self._remind()

    def look(self) -> None:
        """Take new files into use, if there are any."""
        looks = self._looks()
        if looks == self._seen:
            return
        self._seen = looks
        try:
            pair = self._read()
            context = _context(self._cert, self._key, *pair)
            expires = _expires(context, self._cert)
            is_whole = self._read() == pair
        except TLSUnusable as error:
            log.error("renewed certificate cannot be used; the old one stays", extra={"error": str(error)})
            return
        except OSError:  # a file went while it was looked at: something else comes in its place
            is_whole = False
        if not is_whole:  # one file was new, and the other was not yet
            self._seen = ()
            return
        self._pair, self._newest = pair, context
        self._note(expires)
        log.info("certificate was renewed", extra={"cert_file": str(self._cert)})

    def _read(self) -> tuple[bytes, bytes]:
        return _read("cert_file", self._cert), _read("key_file", self._key)

    def _note(self, expires: float) -> None:
        self._expires = expires
        self._reminded_at = 0.0
        EXPIRES.set(value=self._expires)
        self._remind()

    def _remind(self) -> None:
        now = time.time()
        if self._expires - now < SOON_S and now - self._reminded_at >= REMIND_S:
            self._reminded_at = now
            left = round((self._expires - now) / 86400, 1)
            log.warning("certificate expires soon", extra={"cert_file": str(self._cert), "days": left})

    def _looks(self) -> tuple[int, ...]:
        found = []
        for path in (self._cert, self._key):
            try:
                stat = os.stat(path)  # noqa: PTH116  # follows the link that a secret's volume swaps
                found += [stat.st_mtime_ns, stat.st_ino]
            except OSError:
                found += [0, 0]
        return tuple(found)


def tls_of(config: TLSConfig) -> TLS | None:
    """Return what the configuration asks for; None for plain text.

    Raises:
        TLSUnusable: The files are of no use.
    """
    return TLS(config) if config.wanted else None


def _for_grpc(pair: tuple[bytes, bytes]) -> "grpc.ServerCertificateConfiguration":
    cert, key = pair
    return grpc.ssl_server_certificate_configuration([(key, cert)])


def _read(name: str, path: Path) -> bytes:
    try:
        text = path.read_bytes()
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise TLSUnusable(
            f"server.tls.{name}: {path} cannot be read: {why}; "
            "name a file that the user who runs Hector may read",
            file=str(path),
        ) from error
    wanted = b"CERTIFICATE-----" if name == "cert_file" else b"PRIVATE KEY-----"
    if wanted not in text:
        kind = "certificate" if name == "cert_file" else "private key"
        raise TLSUnusable(
            f"server.tls.{name}: {path} holds no {kind} in PEM form (-----BEGIN …); "
            "are cert_file and key_file interchanged?",
            file=str(path),
        )
    return text


def _context(cert_file: Path, key_file: Path, cert: bytes, key: bytes) -> ssl.SSLContext:
    """Return a context that a client could speak with."""
    if b"ENCRYPTED" in key:
        raise TLSUnusable(
            f"server.tls.key_file: {key_file} is protected by a password, and nobody is there to type it; "
            f"write it without one: openssl pkey -in {key_file} -out KEY.pem",
            file=str(key_file),
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(cert_file, key_file)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise TLSUnusable(
                f"server.tls: {key_file} is not the key of the certificate in {cert_file}; "
                "put in the pair that was issued together",
                file=str(key_file),
            ) from error
        why = (error.reason or str(error)).lower().replace("_", " ")
        raise TLSUnusable(
            f"server.tls: {cert_file} and {key_file} cannot be used: {why}; "
            "check them with `openssl x509 -noout -text` and `openssl pkey -noout -check`",
            file=str(cert_file),
        ) from error
    _tried(context, cert_file)
    return context


def _expires(context: ssl.SSLContext, cert_file: Path) -> float:
    return ssl.cert_time_to_seconds(str(_tried(context, cert_file)["notAfter"]))


def _tried(context: ssl.SSLContext, cert_file: Path) -> dict[str, object]:
    """Shake hands in memory with a client that trusts this very certificate, and return what it gets to see.

    So an expired certificate, or one that is not for servers, is found before anybody calls.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    client.load_verify_locations(cert_file)
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (client.wrap_bio(back, there), context.wrap_bio(there, back, server_side=True))
    try:
        for _ in range(4):  # hello, certificate, finished, and one to spare
            for side in sides:
                try:
                    side.do_handshake()
                except ssl.SSLWantReadError:
                    continue
    except ssl.SSLCertVerificationError as error:
        raise TLSUnusable(
            f"server.tls.cert_file: {cert_file} would be refused by every client: {error.verify_message}; "
            "put in one that is valid today (and look at this machine's clock)",
            file=str(cert_file),
        ) from error
    except ssl.SSLError as error:
        raise TLSUnusable(
            f"server.tls: no client can shake hands with {cert_file}: {(error.reason or str(error)).lower()}",
            file=str(cert_file),
        ) from error
    return dict(sides[0].getpeercert() or {})
