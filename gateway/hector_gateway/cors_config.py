"""The keys of `server.cors:`."""

from typing import Annotated, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from hector_config import Duration, Misfit, Section


class CorsConfig(Section):
    """Which web pages may call, from browsers. Left out: none."""

    allowed_origins: list[str] = []
    """Origins as browsers write them, "https://app.example.com"; "*" is every page there is."""
    allowed_methods: list[str] = ["GET", "HEAD", "POST", "DELETE"]
    """HTTP methods that they may use."""
    allowed_headers: list[str] = [
        *("Authorization", "Content-Type", "Accept", "A2A-Version", "A2A-Extensions", "X-A2A-Extensions"),
        *("Last-Event-ID", "Idempotency-Key", "X-Request-Id", "traceparent", "tracestate"),
    ]
    """Headers that they may send; "*" is every header but Authorization."""
    allow_credentials: bool = False
    """Let browsers send cookies and client certificates along; Hector itself looks at neither. A bearer
    credential needs none of this."""
    max_age: Annotated[Duration, Field(ge=0)] = 600.0
    """How long browsers may remember what they were told."""

    @field_validator("allowed_origins")
    @classmethod
    def _are_origins(cls, origins: list[str]) -> list[str]:
        for index, origin in enumerate(origins):
            found = urlsplit(origin)
            whole = f"{found.scheme}://{found.netloc}"
            if origin not in ("*", "null") and (not found.scheme or not found.netloc or origin != whole):
                raise Misfit(f'"{origin}" is no origin', hint='"https://app.example.com"', at=(index,))
        return [origin.lower() for origin in origins]

    @field_validator("allowed_methods")
    @classmethod
    def _in_capitals(cls, methods: list[str]) -> list[str]:
        return [method.upper() for method in methods]

    @model_validator(mode="after")
    def _trusts_somebody(self) -> Self:
        if self.allow_credentials and "*" in self.allowed_origins:
            raise Misfit(
                'allow_credentials with "*" would let every page act for its visitor; name the origins',
                at=("allow_credentials",),
            )
        return self
