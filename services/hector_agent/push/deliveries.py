"""How deliveries are, and another go for those given up: for users of their own, for operators of all."""

from urllib.parse import urlsplit, urlunsplit

from hector.agent.v1 import (
    PUSH_STATE_ACTIVE,
    PUSH_STATE_DEAD,
    PUSH_STATE_DONE,
    AgentServiceServicer,
    ListPushConfigsRequest,
    ListPushConfigsResponse,
    PushConfig,
    PushState,
    RetryPushConfigRequest,
    RetryPushConfigResponse,
)
from hector_agent.errors import DeliveryNotFound, DeliveryOver
from hector_mesh import Context, Principal, current_call
from hector_store import PushRow

from .push import Push

STATES: dict[str, PushState.ValueType] = {
    "active": PUSH_STATE_ACTIVE,
    "dead": PUSH_STATE_DEAD,
    "done": PUSH_STATE_DONE,
}
OPERATORS = frozenset({"operator", "admin"})


class DeliveriesServicer(AgentServiceServicer):
    """The part of hector.agent.v1.AgentService that concerns push notifications."""

    def __init__(self, push: Push) -> None:
        self._push = push

    async def ListPushConfigs(
        self, request: ListPushConfigsRequest, context: Context
    ) -> ListPushConfigsResponse:
        """List who is told of runs, the oldest first."""
        call = current_call.get()
        state = next((name for name, value in STATES.items() if value == request.state), None)
        page = await self._push.configs.list(
            call.app,
            _owner(call.principal),
            run_id=request.run or None,
            state=state,
            page_size=min(request.page_size, 100) if request.page_size > 0 else 50,
            page_token=request.page_token,
        )
        return ListPushConfigsResponse(
            push_configs=[_shown(row, call.principal) for row in page.configs],
            next_page_token=page.next_page_token,
        )

    async def RetryPushConfig(
        self, request: RetryPushConfigRequest, context: Context
    ) -> RetryPushConfigResponse:
        """Take up deliveries where they stand."""
        call = current_call.get()
        owner, worker = _owner(call.principal), self._push.worker
        row = await self._push.configs.revive(call.app, owner, request.run, request.id, worker=worker)
        if row is None:
            raise DeliveryNotFound(request.run, request.id)
        if row.state == "done":
            raise DeliveryOver(request.run, request.id)
        self._push.placed(row.run_id, is_here=False)
        await self._push.count_dead()
        return RetryPushConfigResponse(push_config=_shown(row, call.principal))


def _owner(principal: Principal) -> str | None:
    """Return whose configs a caller sees; None: everybody's."""
    return None if principal.roles & OPERATORS else principal.id


def _shown(row: PushRow, principal: Principal) -> PushConfig:
    shown = PushConfig(
        run=row.run_id,
        id=row.id,
        agent=row.agent,
        owner=row.owner,
        url=row.url if row.owner == principal.id else _without_query(row.url),
        state=STATES[row.state],
        delivered_seq=row.delivered if row.delivered >= row.start else 0,
        attempts=row.attempts,
        error=row.error,
    )
    if row.next_time_us:
        shown.next_time.FromMicroseconds(row.next_time_us)
    shown.create_time.FromMicroseconds(row.created_time_us)
    shown.update_time.FromMicroseconds(row.updated_time_us)
    return shown


def _without_query(url: str) -> str:
    """Return a URL without what may be a secret in it."""
    return urlunsplit(urlsplit(url)._replace(query=""))
