"""What an agent offers A2A clients: keys that a server has for all its agents, and each agent for itself."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from hector_config.problem import Misfit
from hector_config.section import Section

A2AVersion = Literal["1.0", "0.3"]
ErrorEdition = Literal["1.0.1", "1.0.0"]
Transport = Literal["json-rpc", "rest", "grpc"]

_uri = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!-+\--~]+").fullmatch  # visible ASCII, but no comma
_type = re.compile(r"\*/\*|[a-z0-9][a-z0-9!#$&^_.+-]*/(?:\*|[a-z0-9][a-z0-9!#$&^_.+-]*)", re.ASCII).fullmatch


def _absolute(uri: str) -> str:
    if not _uri(uri):
        raise Misfit('a URI of ASCII characters but comma is needed, as "https://example.com/ext/geo/v1"')
    return uri


def _web_address(url: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise Misfit('a URL is needed, as "https://example.com/agents"')
    return url


def _media_type(found: str) -> str:
    if not _type(found.lower()):
        raise Misfit('a media type is needed, as "text/plain", "text/*" or "*/*"')
    return found.lower()


WebAddress = Annotated[str, AfterValidator(_web_address)]
MediaType = Annotated[str, AfterValidator(_media_type)]


class ExtensionConfig(Section):
    """One extension of A2A that an agent knows."""

    uri: Annotated[str, AfterValidator(_absolute)]
    """Its name, which clients write into the header `A2A-Extensions`. A breaking change gets a new one."""
    description: str = ""
    """How the agent uses it, as its card says."""
    required: bool = False
    """Refuse clients that do not name it."""
    params: dict[str, Any] = {}
    """Its own parameters, as its specification has them; the card shows them."""


def _told_apart(found: list[ExtensionConfig]) -> list[ExtensionConfig]:
    seen: dict[str, int] = {}
    for index, one in enumerate(found):
        if one.uri in seen:
            raise Misfit(f"the same extension as entry {seen[one.uri]}", at=(index, "uri"))
        seen[one.uri] = index
    return found


def _each_once(found: list[A2AVersion]) -> list[A2AVersion]:
    if len(set(found)) < len(found):
        raise Misfit("a version is written twice")
    return found


Extensions = Annotated[list[ExtensionConfig], AfterValidator(_told_apart)]
A2AVersions = Annotated[list[A2AVersion], Field(min_length=1), AfterValidator(_each_once)]


class ProviderConfig(Section):
    """Who is behind an agent."""

    name: Annotated[str, Field(min_length=1)]
    """The organization."""
    url: WebAddress
    """Its web site."""
