"""What can go wrong between us and somebody else's server.

Messages name the origin (scheme, host, port) and nothing more of the URL: paths and queries carry secrets.
"""

from grpc import StatusCode

from hector_mesh import HectorError


class HttpError(HectorError):
    """An HTTP exchange failed before its answer was read to the end."""

    code = StatusCode.UNAVAILABLE
    reason = "HTTP_FAILED"


class BadUrl(HttpError):
    """Not an absolute http:// or https:// URL."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "BAD_URL"


class AddressRefused(HttpError):
    """The address is private, local or a cloud's metadata service, and no operator wrote it down."""

    code = StatusCode.PERMISSION_DENIED
    reason = "ADDRESS_REFUSED"


class Unreachable(HttpError):
    """No connection, or one that was lost before the answer began. `sent` tells the two apart."""

    reason = "HTTP_UNREACHABLE"

    def __init__(self, message: str, *, origin: str, sent: bool) -> None:
        super().__init__(message, origin=origin)
        self.sent = sent
        """The request may have reached the server."""


class Untrusted(Unreachable):
    """The server's certificate is not one that we trust."""

    reason = "HTTP_CERTIFICATE_NOT_TRUSTED"


class TimedOut(HttpError):
    """The server took too long: to accept a connection, to answer, to go on, or altogether."""

    code = StatusCode.DEADLINE_EXCEEDED
    reason = "HTTP_TIMED_OUT"

    def __init__(self, message: str, *, origin: str, phase: str) -> None:
        super().__init__(message, origin=origin, phase=phase)
        self.phase = phase
        """`connect`, `first_byte`, `stall` or `total`."""


class BrokeOff(HttpError):
    """The answer began and ended before its end."""

    reason = "HTTP_BROKE_OFF"


class TooLarge(HttpError):
    """The answer is larger than the caller takes."""

    code = StatusCode.OUT_OF_RANGE
    reason = "HTTP_TOO_LARGE"


class TooManyRedirects(HttpError):
    """The server sends us on and on."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "HTTP_TOO_MANY_REDIRECTS"


class CertificatesUnusable(HttpError):
    """The configured file of certificate authorities cannot be read."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "CERTIFICATES_UNUSABLE"
