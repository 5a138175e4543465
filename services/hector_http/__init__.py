"""The one client for HTTP to the outside: pooled, bounded, retried, and careful about where it connects."""

from hector_http.addresses import why_refused
from hector_http.client import HttpClient
from hector_http.errors import (
    AddressRefused,
    BadUrl,
    BrokeOff,
    CertificatesUnusable,
    HttpError,
    TimedOut,
    TooLarge,
    TooManyRedirects,
    Unreachable,
    Untrusted,
)
from hector_http.limits import NO_RETRIES, Retries, Timeouts
from hector_http.request import Request
from hector_http.response import Response
from hector_http.tls import Tls

__all__ = [
    "NO_RETRIES",
    "AddressRefused",
    "BadUrl",
    "BrokeOff",
    "CertificatesUnusable",
    "HttpClient",
    "HttpError",
    "Request",
    "Response",
    "Retries",
    "TimedOut",
    "Timeouts",
    "Tls",
    "TooLarge",
    "TooManyRedirects",
    "Unreachable",
    "Untrusted",
    "why_refused",
]
