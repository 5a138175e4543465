"""Artifacts over the mesh: save, list, load, delete. Everybody has only their own."""

from hector.agent.v1 import (
    AgentServiceServicer,
    DeleteArtifactRequest,
    DeleteArtifactResponse,
    ListArtifactsRequest,
    ListArtifactsResponse,
    LoadArtifactRequest,
    LoadArtifactResponse,
    SaveArtifactRequest,
    SaveArtifactResponse,
    StoredArtifact,
)
from hector.common.v1 import Artifact
from hector_agent.errors import SessionNotFound
from hector_agent.runs import Runs
from hector_mesh import Call, Context, current_call
from hector_store import ArtifactRow

from .errors import ArtifactNotFound, NotToBeKept
from .scopes import OF_USER, new_artifact
from .servicer import page_size


class ArtifactsServicer(AgentServiceServicer):
    """Serves the part of hector.agent.v1.AgentService that is about artifacts."""

    _runs: Runs

    async def SaveArtifact(self, request: SaveArtifactRequest, context: Context) -> SaveArtifactResponse:
        """Save the next version of an artifact."""
        call, artifact = current_call.get(), request.artifact
        if not artifact.name:
            raise NotToBeKept("artifact.name", "an artifact has a name")
        if not artifact.parts:
            raise NotToBeKept("artifact.parts", "an artifact has one part or more")
        session = await self._place(call, request.session, artifact.name)
        row = await self._runs.log.artifacts.save(
            call.app, new_artifact(artifact, call.principal.id, session)
        )
        return SaveArtifactResponse(artifact=_stored(row))

    async def ListArtifacts(self, request: ListArtifactsRequest, context: Context) -> ListArtifactsResponse:
        """List the newest versions, or all of one."""
        call = current_call.get()
        session = await self._place(call, request.session, "" if request.session else OF_USER)
        page = await self._runs.log.artifacts.page(
            call.app,
            call.principal.id,
            session,
            request.name,
            page_size(request.page_size),
            request.page_token,
        )
        artifacts = [_stored(row) for row in page.artifacts]
        return ListArtifactsResponse(artifacts=artifacts, next_page_token=page.next_page_token)

    async def LoadArtifact(self, request: LoadArtifactRequest, context: Context) -> LoadArtifactResponse:
        """Return a version with its content."""
        call = current_call.get()
        session = await self._place(call, request.session, request.name)
        found = await self._runs.log.artifacts.load(
            call.app, call.principal.id, session, request.name, request.version
        )
        if found is None:
            raise ArtifactNotFound(session, request.name, request.version)
        return LoadArtifactResponse(stored=_stored(found[0]), artifact=Artifact.FromString(found[1]))

    async def DeleteArtifact(
        self, request: DeleteArtifactRequest, context: Context
    ) -> DeleteArtifactResponse:
        """Remove a version, or all of them."""
        call = current_call.get()
        session = await self._place(call, request.session, request.name)
        gone = await self._runs.log.artifacts.delete(
            call.app, call.principal.id, session, request.name, request.version
        )
        if not gone:
            raise ArtifactNotFound(session, request.name, request.version)
        return DeleteArtifactResponse(versions=gone)

    async def _place(self, call: Call, session: str, name: str) -> str:
        """Return where an artifact of that name is: a session, or "" for those of a user."""
        if name.startswith(OF_USER):
            return ""
        if not session:
            raise NotToBeKept("session", f'it is needed, unless the name begins with "{OF_USER}"')
        if await self._runs.log.latest(call.app, call.principal.id, session) is None:
            raise SessionNotFound(session)
        return session


def _stored(row: ArtifactRow) -> StoredArtifact:
    found = StoredArtifact(
        name=row.name,
        version=row.version,
        session=row.context_id,
        run=row.run_id,
        media_type=row.media_type,
        description=row.description,
        size_bytes=row.size_bytes,
        hash=row.hash,
    )
    found.create_time.FromMicroseconds(row.time_us)
    return found
