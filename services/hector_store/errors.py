"""What can go wrong with the store: each error says what happened, where, and what to do next."""

from collections.abc import Collection

from grpc import StatusCode

from hector_mesh import HectorError


class RunNotFound(HectorError):
    """No such run for this app and owner. A foreign run is not found either."""

    code = StatusCode.NOT_FOUND
    reason = "RUN_NOT_FOUND"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"no run {run_id!r}; list the runs to see which there are", run_id=run_id)


class RunExists(HectorError):
    """A run of that id is there already; leave the id out and the store assigns one."""

    code = StatusCode.ALREADY_EXISTS
    reason = "RUN_EXISTS"

    def __init__(self, run_id: str) -> None:
        super().__init__(f"there is a run {run_id!r} already; leave the id out", run_id=run_id)


class RunFenced(HectorError):
    """The writer does not own the run any more: nothing was written. Stop working on it."""

    code = StatusCode.ABORTED
    reason = "RUN_FENCED"

    def __init__(self, run_id: str, epoch: int, current: int) -> None:
        super().__init__(
            f"run {run_id!r} has a new owner (epoch {current}, yours is {epoch}); stop working on it",
            run_id=run_id,
            epoch=epoch,
            current_epoch=current,
        )


class LeaseOver(HectorError):
    """A worker's lease has ended: its runs may be others' by now. It comes back under another id."""

    code = StatusCode.ABORTED
    reason = "LEASE_OVER"

    def __init__(self, worker: str) -> None:
        super().__init__(
            f"the lease of worker {worker!r} is over: its runs are left to others; join again under a new id",
            worker=worker,
        )


class TooManyPushConfigs(HectorError):
    """A run tells so many receivers of its events, and no more."""

    code = StatusCode.FAILED_PRECONDITION  # time alone changes nothing
    reason = "TOO_MANY_PUSH_CONFIGS"

    def __init__(self, run_id: str, limit: int) -> None:
        super().__init__(
            f"task {run_id!r} has {limit} push notification configs, and may have no more; delete one first",
            taskId=run_id,
            limit=limit,
        )


class RevisionContested(HectorError):
    """Other processes kept taking the number that a new config should have."""

    code = StatusCode.ABORTED
    reason = "REVISION_CONTESTED"

    def __init__(self, revision_id: str, tries: int) -> None:
        super().__init__(
            f"the config {revision_id[:12]} got no number in {tries} tries: other processes store theirs at "
            "the same time; start again",
            revision=revision_id,
        )


class IdempotencyMismatch(HectorError):
    """The idempotency key was used before, for something else."""

    code = StatusCode.ALREADY_EXISTS
    reason = "IDEMPOTENCY_MISMATCH"

    def __init__(self, key: str, run_id: str) -> None:
        super().__init__(
            f"idempotency key {key!r} was used for a different request (run {run_id!r}); use a new key",
            idempotency_key=key,
            run_id=run_id,
        )


class EventNeedsNewer(HectorError):
    """A newer version wrote an event that this one must not skip."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "EVENT_NEEDS_NEWER_VERSION"

    def __init__(self, run_id: str, seq: int, kind: str, needs: int, version: int) -> None:
        super().__init__(
            f"event {seq} of run {run_id!r} ({kind!r}) needs event format {needs}, this version reads"
            f" {version}; upgrade hector to read this run",
            run_id=run_id,
            seq=seq,
            kind=kind,
            needs=needs,
        )


class InvalidValue(HectorError):
    """A value does not fit its column."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "INVALID_VALUE"

    def __init__(self, name: str, found: str, allowed: str) -> None:
        super().__init__(f"{name} is {found}; allowed: {allowed}", field=name)


class InvalidPageToken(HectorError):
    """The page token is not one that the store gave out."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "INVALID_PAGE_TOKEN"

    def __init__(self) -> None:
        super().__init__("the page token is not one of ours; begin again without a token")


class PayloadTooLarge(HectorError):
    """One write is larger than the store ever takes."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "PAYLOAD_TOO_LARGE"

    def __init__(self, size_bytes: int, allowed_bytes: int) -> None:
        super().__init__(
            f"a write of {size_bytes} bytes is too large (allowed: {allowed_bytes}); keep the content in a"
            " file or an object store and write its address",
            size_bytes=size_bytes,
            allowed_bytes=allowed_bytes,
        )


class StorageQueueFull(HectorError):
    """Too much is waiting to be written. Nothing was written; try again later."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "STORAGE_QUEUE_FULL"
    retry_after_s = 1.0

    def __init__(self, rows: int, size_bytes: int) -> None:
        super().__init__(
            f"the store is behind: {rows} rows, {size_bytes} bytes wait to be written; try again later",
            rows=rows,
            size_bytes=size_bytes,
        )


class StorageClosed(HectorError):
    """The database was closed while or before this was asked."""

    code = StatusCode.UNAVAILABLE
    reason = "STORAGE_CLOSED"

    def __init__(self, database: str) -> None:
        super().__init__(
            f"the database {database} is closed: this process is shutting down", database=database
        )


class StorageBusy(HectorError):
    """Another process holds the database for too long. Nothing was written; try again."""

    code = StatusCode.UNAVAILABLE
    reason = "STORAGE_BUSY"
    retry_after_s = 1.0

    def __init__(
        self,
        database: str,
        holder: str = "another process; stop that process (a backup, a database browser, a second hector)",
    ) -> None:
        super().__init__(f"the database {database} is locked by {holder} or try again", database=database)


class StorageFull(HectorError):
    """The disk or the database is full. Nothing of this write was kept."""

    code = StatusCode.RESOURCE_EXHAUSTED
    reason = "STORAGE_FULL"

    def __init__(self, database: str) -> None:
        super().__init__(
            f"no space left for the database {database}; free some space and try again", database=database
        )


class StorageReadOnly(HectorError):
    """The database or its folder cannot be written to."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STORAGE_READ_ONLY"

    def __init__(
        self,
        database: str,
        detail: str,
        advice: str = "make the file and its folder writable for this user, or set storage.database to"
        " another place",
    ) -> None:
        super().__init__(f"cannot write to the database {database} ({detail}); {advice}", database=database)


class StorageFolderMissing(HectorError):
    """The folder that should hold the database is not there, or is no folder."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STORAGE_FOLDER_MISSING"

    def __init__(self, database: str, folder: str, *, is_file: bool = False) -> None:
        what, do = ("is a file", "move it away") if is_file else ("does not exist", "create it")
        super().__init__(
            f"the folder {folder} for the database {database} {what}; {do}, or set"
            " storage.database to another place",
            database=database,
            folder=folder,
        )


class StorageCorrupt(HectorError):
    """The file is not a database, or is damaged."""

    code = StatusCode.DATA_LOSS
    reason = "STORAGE_CORRUPT"

    def __init__(self, database: str, detail: str) -> None:
        super().__init__(
            f"{database} is not a usable database ({detail}); restore it from a backup "
            "(hector db restore FILE), or move it away and a new one is made",
            database=database,
        )


class StorageGone(HectorError):
    """The database's file was taken away, or replaced, while it was in use. Nothing was written."""

    code = StatusCode.UNAVAILABLE
    reason = "STORAGE_GONE"

    def __init__(self, database: str) -> None:
        super().__init__(
            f"the database {database} was removed or replaced while it was in use; move it back, or restart"
            " hector to use what is there now",
            database=database,
        )


class StorageNewer(HectorError):
    """A newer version of Hector made this database."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STORAGE_NEWER"

    def __init__(self, database: str, found: str, known: str) -> None:
        super().__init__(
            f"the database {database} was made by a newer version (schema {found}, this version knows"
            f" {known}); upgrade hector, or set storage.database to another place",
            database=database,
            found=found,
            known=known,
        )


class StorageOccupied(HectorError):
    """The database has tables of ours by name that are not ours."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "STORAGE_OCCUPIED"

    def __init__(self, database: str, table: str) -> None:
        super().__init__(
            f"the database {database} has a table {table!r} that is not Hector's; give Hector a"
            " database of its own, and name it in storage.database",
            database=database,
            table=table,
        )


class StorageFailed(HectorError):
    """The database failed in a way of its own. Nothing of this write was acknowledged."""

    code = StatusCode.UNAVAILABLE
    reason = "STORAGE_FAILED"

    def __init__(self, database: str, detail: str, log: str = "the disk and the system log") -> None:
        super().__init__(
            f"the database {database} failed ({detail}); check {log}, then try again", database=database
        )


class InvalidDatabaseURL(HectorError):
    """An address, of `storage.database` or --database, is not one that the store understands."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "INVALID_DATABASE_URL"

    def __init__(self, found: str, problem: str, allowed: Collection[str]) -> None:
        super().__init__(
            f"{found!r} is no address of a database: {problem} (allowed: {', '.join(allowed)})", found=found
        )


class RunContended(HectorError):
    """Too many processes begin runs in one context at the same moment. Nothing was written; try again."""

    code = StatusCode.ABORTED
    reason = "RUN_CONTENDED"

    def __init__(self, context_id: str) -> None:
        super().__init__(
            f"too many runs are begun in context {context_id!r} at once; try again", context_id=context_id
        )


class ArtifactContended(HectorError):
    """Too many processes save an artifact of one name at the same moment. Nothing was written; try again."""

    code = StatusCode.ABORTED
    reason = "ARTIFACT_CONTENDED"

    def __init__(self, name: str) -> None:
        super().__init__(f"artifact {name!r} is saved by too many at once; try again", name=name)


class ArtifactContentGone(HectorError):
    """The content of an artifact is not where it was put, or is not what was put there."""

    code = StatusCode.DATA_LOSS
    reason = "ARTIFACT_CONTENT_GONE"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the content of artifact {name!r} is gone or damaged; look at storage.blobs.url and what is "
            "there, and run `hector db check`",
            name=name,
        )


class ArtifactTooLarge(HectorError):
    """An artifact is larger than `storage.artifacts.max_size` allows."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "ARTIFACT_TOO_LARGE"

    def __init__(self, name: str, size_bytes: int, allowed_bytes: int) -> None:
        super().__init__(
            f"artifact {name!r} has {size_bytes:,} bytes (allowed: {allowed_bytes:,}); raise "
            "storage.artifacts.max_size, or save it in parts",
            name=name,
            size_bytes=size_bytes,
            allowed_bytes=allowed_bytes,
        )


class ContextExists(HectorError):
    """There is a session of that id already."""

    code = StatusCode.ALREADY_EXISTS
    reason = "SESSION_EXISTS"

    def __init__(self, context_id: str) -> None:
        super().__init__(
            f"there is a session {context_id!r} already; leave the id out and one is made",
            session=context_id,
        )


class ContextNotFound(HectorError):
    """There is no such session for this app and owner."""

    code = StatusCode.NOT_FOUND
    reason = "SESSION_NOT_FOUND"

    def __init__(self, context_id: str) -> None:
        super().__init__(
            f"no session {context_id!r} of yours; `ListSessions` shows those there are", session=context_id
        )


class ContextBusy(HectorError):
    """A run of the session is not over."""

    code = StatusCode.FAILED_PRECONDITION
    reason = "SESSION_BUSY"

    def __init__(self, context_id: str, run_id: str) -> None:
        super().__init__(
            f"session {context_id!r} has a run that is not over: cancel run {run_id!r} first, or delete the "
            "session with cancel (`hector sessions delete --cancel`)",
            session=context_id,
            run=run_id,
        )
