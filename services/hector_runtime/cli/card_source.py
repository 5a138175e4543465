"""Where `hector card` finds cards and keys: at an agent of a server, at a URL, in a file."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import click
from grpc import StatusCode

from hector_a2a.client_errors import TokenRefused
from hector_http import HttpClient, Request, Tls
from hector_mesh import HectorError

from .options import Source, is_said
from .server import DEFAULT_URL, client

if TYPE_CHECKING:
    from hector_a2a.keys import PublicKey

WELL_KNOWN = "/.well-known/agent-card.json"
MOST_BYTES = 4 << 20
Card = dict[str, Any]


class NotThere(HectorError):
    """The file, or the page, cannot be read."""

    code, reason = StatusCode.NOT_FOUND, "NOT_THERE"


class NoCard(HectorError):
    """What is there is no agent card."""

    code, reason = StatusCode.FAILED_PRECONDITION, "NO_AGENT_CARD"

    def __init__(self, where: str) -> None:
        super().__init__(f"{where} holds no agent card: a JSON object with a name is needed", where=where)


async def card_at(source: Source, target: str, version: str | None = None) -> Card:
    """Return the card that a target names.

    Raises:
        HectorError: There is none, or nobody answers.
    """
    if _is_file(target):
        return card_in(read(target), target)
    url = target
    if "://" not in target:
        base = (source.url or DEFAULT_URL).rstrip("/")
        url = f"{base}/agents/{quote(target, safe='')}" if target else base
    if not urlsplit(url).path.endswith(".json"):
        url = url.rstrip("/") + WELL_KNOWN
    return card_in(await fetched(source, url, version), url)


async def extended_card(source: Source, agent: str) -> Card:
    """Return an agent's card with what its authenticated callers see; raises as `card_at` does."""
    from hector_a2a.json_out import to_json

    if "://" in agent:
        raise click.UsageError("--extended needs the agent's name, and its server at --url")
    async with client(source) as found:
        card: Card = to_json(await found.extended_card(agent))
        return card


async def keys_at(source: Source, place: str) -> "list[PublicKey]":
    """Return the keys in a file or at a URL.

    Raises:
        HectorError: There are none.
    """
    from hector_a2a.keys import public_keys

    data = await fetched(source, place) if "://" in place else read(place)
    return public_keys(data, where=place)


async def fetched(source: Source, url: str, version: str | None = None) -> bytes:
    """Return what is at a URL.

    Raises:
        HttpError: Nobody answers.
        TokenRefused: A credential is wanted, or another one.
        NotThere: Something else is wrong.
    """
    token = source.token if _may_know_token(source, url) else None
    headers = {"Accept": "application/json"}
    headers |= {"A2A-Version": version} if version else {}
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    tls = Tls(ca_file=source.ca_certificate) if source.ca_certificate else None
    request = Request("GET", url, headers, max_body_bytes=MOST_BYTES)
    async with HttpClient(trusted=[url], tls=tls) as http, http.send(request) as response:
        body = await response.read()
        if response.status == 401:
            raise TokenRefused(url, given=bool(token))
        if response.status != 200:
            raise NotThere(f"{url} answers with HTTP {response.status}{_why(body)}", status=response.status)
        return body


def read(file: str) -> bytes:
    """Return what a file holds; "-" is standard input.

    Raises:
        NotThere: It cannot be read.
    """
    if file == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise NotThere(f"{file} cannot be read: {(error.strerror or str(error)).lower()}") from error


def card_in(data: bytes, where: str) -> Card:
    """Return the card that a file or page holds.

    Raises:
        NoCard: It holds something else.
    """
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("name"), str):
        raise NoCard(where)
    return found


def _is_file(target: str) -> bool:
    if target == "-":
        return True
    return "://" not in target and (target.endswith(".json") or "/" in target)


def _may_know_token(source: Source, url: str) -> bool:
    """Say whether a server may see the credential: what stands in the environment is not for strangers."""
    own, other = urlsplit(source.url or DEFAULT_URL), urlsplit(url)
    return is_said("token") or (own.scheme, own.netloc) == (other.scheme, other.netloc)


def _why(body: bytes) -> str:
    try:
        message = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        return "; name an agent's URL, or that of its card"
    return f": {message}"
