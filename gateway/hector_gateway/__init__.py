"""The border: the only room that speaks A2A over HTTP/JSON, and the public gRPC port beside it."""

from .admin_secret import AdminSecret, admin_secret
from .config import GatewaySection
from .room import build

__all__ = ["AdminSecret", "GatewaySection", "admin_secret", "build"]
