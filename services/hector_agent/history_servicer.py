"""What must stay, and what must go at once: pins for everybody's own, erasing for admins."""

from collections.abc import Sequence

from grpc import StatusCode

from hector.agent.v1 import (
    EraseUserRequest,
    EraseUserResponse,
    HistoryServiceServicer,
    ListPinsRequest,
    ListPinsResponse,
    ListReceiptsRequest,
    ListReceiptsResponse,
    Pin,
    Receipt,
    SetPinRequest,
    SetPinResponse,
)
from hector_mesh import Context, HectorError, Principal, current_call
from hector_store import Database
from hector_store.errors import InvalidValue
from hector_store.history.erasing import Erasure
from hector_store.history.pins import Pins
from hector_store.history.receipts import Receipt as Written

from .errors import ShuttingDown


class AdminsOnly(HectorError):
    """The caller may not do this."""

    code, reason = StatusCode.PERMISSION_DENIED, "PERMISSION_DENIED"

    def __init__(self, what: str) -> None:
        super().__init__(f"only callers with role admin may {what}: show such a credential", needed="admin")


class HistoryServicer(HistoryServiceServicer):
    """Serves hector.agent.v1.HistoryService on the database that is open."""

    def __init__(self, databases: Sequence[Database]) -> None:
        self._databases = databases

    @property
    def _database(self) -> Database:
        if not self._databases:
            raise ShuttingDown
        return self._databases[-1]

    async def EraseUser(self, request: EraseUserRequest, context: Context) -> EraseUserResponse:
        """Delete everything of a user."""
        _check(current_call.get().principal, "erase users")
        return EraseUserResponse(
            receipt=_shown(await Erasure(self._database).erase(request.user, request.app))
        )

    async def ListReceipts(self, request: ListReceiptsRequest, context: Context) -> ListReceiptsResponse:
        """List what was erased."""
        _check(current_call.get().principal, "see what was erased")
        found = await Erasure(self._database).receipts()
        return ListReceiptsResponse(
            receipts=[_shown(one) for one in found if not request.user or one.is_about(request.user)]
        )

    async def SetPin(self, request: SetPinRequest, context: Context) -> SetPinResponse:
        """Keep what is the caller's for ever, or no longer than others."""
        call, pins = current_call.get(), Pins(self._database)
        app, owner = call.app, call.principal.id
        kind = request.pin.WhichOneof("target")
        if kind is None:
            raise InvalidValue("pin", "empty", "a run or a session")
        if request.remove:
            await pins.unpin(app, owner, run_id=request.pin.run, context_id=request.pin.session)
        elif kind == "run":
            await pins.pin_run(app, owner, request.pin.run)
        else:
            await pins.pin_session(app, owner, request.pin.session)
        return SetPinResponse()

    async def ListPins(self, request: ListPinsRequest, context: Context) -> ListPinsResponse:
        """List what the caller keeps for ever."""
        call = current_call.get()
        found = await Pins(self._database).of(call.app, call.principal.id)
        return ListPinsResponse(
            pins=[Pin(session=session) if session else Pin(run=run) for session, run in found]
        )


def _check(principal: Principal, what: str) -> None:
    if "admin" not in principal.roles:
        raise AdminsOnly(what)


def _shown(written: Written) -> Receipt:
    shown = Receipt(
        name=written.id,
        app=written.app,
        subject=written.subject,
        counts=written.counts,
        hash=written.hash,
        whole=written.is_whole,
    )
    shown.begin_time.FromMicroseconds(written.begun_time_us)
    if written.done_time_us:
        shown.end_time.FromMicroseconds(written.done_time_us)
    return shown
