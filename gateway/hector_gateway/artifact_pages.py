"""Artifacts over HTTP: their content as it is, and what is known of it in JSON.

Below a session's path, or below `/api/artifacts` for those whose name begins with "user:": `GET` lists them,
`GET NAME` returns a content (`?version=2`), `PUT NAME` saves the next version, `DELETE NAME` removes it.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import orjson

from hector.agent.v1 import (
    AgentServiceStub,
    DeleteArtifactRequest,
    ListArtifactsRequest,
    LoadArtifactRequest,
    LoadArtifactResponse,
    SaveArtifactRequest,
    StoredArtifact,
)
from hector.common.v1 import Artifact, Blob, Part
from hector_a2a.json_fields import described
from hector_a2a.json_in import from_json
from hector_a2a.json_out import to_json

from .config import ServerConfig
from .errors import Headers
from .exchange import Exchange
from .page_verbs import PRIVATE, check_verb
from .query import from_query

_JSON = b"application/json"
# A content is somebody's, and may be a page with a script: it is handed out as a file, and never run here.
_AS_FILE: Headers = ((b"content-security-policy", b"sandbox; default-src 'none'"),)


class ArtifactPages:
    """Serves artifacts under a session's path, or a user's."""

    def __init__(self, agents: AgentServiceStub, server: ServerConfig) -> None:
        self._agents, self._server = agents, server

    async def serve(self, exchange: Exchange, session: str, name: str) -> None:
        """Answer one request; an empty name means the list."""
        if not name:
            check_verb(exchange, "GET", "HEAD")
            await self._list(exchange, session)
            return
        check_verb(exchange, "GET", "HEAD", "PUT", "POST", "DELETE")
        if exchange.verb in ("GET", "HEAD"):
            await self._load(exchange, session, name)
        elif exchange.verb == "DELETE":
            query = from_query(exchange.query_string, described(DeleteArtifactRequest))
            query |= {"session": session, "name": name}
            gone = await self._agents.DeleteArtifact(from_json(query, DeleteArtifactRequest))
            await exchange.reply(200, orjson.dumps({"versions": gone.versions}), headers=PRIVATE)
        else:
            await self._save(exchange, session, name)

    async def _list(self, exchange: Exchange, session: str) -> None:
        query = from_query(exchange.query_string, described(ListArtifactsRequest)) | {"session": session}
        page = await self._agents.ListArtifacts(from_json(query, ListArtifactsRequest))
        found = {"artifacts": [_shown(one) for one in page.artifacts], "nextPageToken": page.next_page_token}
        await exchange.reply(200, orjson.dumps(found), headers=PRIVATE)

    async def _load(self, exchange: Exchange, session: str, name: str) -> None:
        query = from_query(exchange.query_string, described(LoadArtifactRequest))
        wanted = from_json(query | {"session": session, "name": name}, LoadArtifactRequest)
        found = await self._agents.LoadArtifact(wanted)
        kind, content = _content(found)
        file = quote(name.removeprefix("user:").rpartition("/")[2], safe="")
        headers = (
            *PRIVATE,
            *_AS_FILE,
            (b"content-disposition", f"attachment; filename*=UTF-8''{file}".encode()),
            (b"etag", f'"{found.stored.hash}"'.encode()),
            (b"hector-artifact-version", str(found.stored.version).encode()),
        )
        await exchange.reply(200, content, kind=kind, headers=headers)

    async def _save(self, exchange: Exchange, session: str, name: str) -> None:
        limits = self._server.limits
        body = await exchange.body(limits.max_body_size, within_s=limits.receive_timeout)
        media_type = _header(exchange.header(b"content-type") or "")
        blob = Blob(media_type=media_type, data=body, name=name.rpartition("/")[2])
        artifact = Artifact(
            name=name, description=exchange.query("description") or "", parts=[Part(blob=blob)]
        )
        saved = await self._agents.SaveArtifact(SaveArtifactRequest(session=session, artifact=artifact))
        await exchange.reply(201, orjson.dumps(_shown(saved.artifact)), headers=PRIVATE)


def _content(found: LoadArtifactResponse) -> tuple[bytes, bytes]:
    """Return the media type and the content of an artifact; what has many parts is shown as JSON."""
    parts = found.artifact.parts
    kind = parts[0].WhichOneof("content") if len(parts) == 1 else None
    if kind == "blob" and not parts[0].blob.uri:
        return _header(parts[0].blob.media_type).encode(), parts[0].blob.data
    if kind == "text":
        return b"text/plain; charset=utf-8", parts[0].text.encode()
    if kind == "data_json":
        return _JSON, parts[0].data_json.encode()
    return _JSON, orjson.dumps(to_json(found.artifact))


def _header(media_type: str) -> str:
    """Return a media type as a header may have it."""
    fits = media_type.isascii() and media_type.isprintable() and 0 < len(media_type) <= 255
    return media_type if fits else "application/octet-stream"


def _shown(artifact: StoredArtifact) -> Mapping[str, Any]:
    found: dict[str, Any] = to_json(artifact)
    return found | {"version": artifact.version, "sizeBytes": artifact.size_bytes}
