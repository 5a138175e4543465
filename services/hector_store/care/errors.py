"""What can go wrong when a database is looked after: each error says what happened and what to do next."""

from grpc import StatusCode

from hector_mesh import HectorError


class NoDatabase(HectorError):
    """There is nothing where the database should be."""

    code, reason = StatusCode.NOT_FOUND, "NO_DATABASE"

    def __init__(self, database: str) -> None:
        super().__init__(
            f"there is no database {database}; name another one with --database or --config, or let"
            " `hector db upgrade` make it",
            database=database,
        )


class NotInAFile(HectorError):
    """What was asked for is for databases in a file."""

    code, reason = StatusCode.FAILED_PRECONDITION, "DATABASE_NOT_IN_A_FILE"

    def __init__(self, database: str, what: str) -> None:
        super().__init__(f"the database {database} is in no file of this machine: {what}", database=database)


class BackupExists(HectorError):
    """There is a file where the backup should go."""

    code, reason = StatusCode.ALREADY_EXISTS, "BACKUP_EXISTS"

    def __init__(self, file: str) -> None:
        super().__init__(
            f"{file} is there already, and is not written over: name another file, or move it away", file=file
        )


class BackupUnusable(HectorError):
    """A backup is damaged, or none at all."""

    code, reason = StatusCode.DATA_LOSS, "BACKUP_UNUSABLE"

    def __init__(self, file: str, why: str, advice: str = "take another backup") -> None:
        super().__init__(f"{file} is no backup to rely on ({why}); {advice}", file=file)


class BackupFailed(HectorError):
    """A backup could not be written."""

    code, reason = StatusCode.UNAVAILABLE, "BACKUP_FAILED"

    def __init__(self, file: str, why: str) -> None:
        super().__init__(f"the backup {file} could not be written: {why}", file=file)


class ProgramMissing(HectorError):
    """The server's own program for backups is not installed here."""

    code, reason = StatusCode.FAILED_PRECONDITION, "BACKUP_PROGRAM_MISSING"

    def __init__(self, program: str, command: str) -> None:
        super().__init__(
            f"{program} is not installed here; where it is, run: {command}", program=program, command=command
        )


class StillInUse(HectorError):
    """Somebody has the database open that is to be replaced."""

    code, reason = StatusCode.FAILED_PRECONDITION, "DATABASE_STILL_IN_USE"

    def __init__(self, database: str) -> None:
        super().__init__(
            f"the database {database} is open in another process: stop every hector that uses it, and try"
            " again; nothing was changed",
            database=database,
        )
