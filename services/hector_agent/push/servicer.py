"""A2A's operations on push notification configs. Secrets go in, and never come out again."""

import hector_a2a as a2a
from hector_a2a.parameters import Parameters
from hector_agent.errors import PushConfigNotFound
from hector_agent.roster import Roster
from hector_mesh import Call, Context, current_call
from hector_store import NewPush, PushRow
from hector_store.errors import RunNotFound

from .checking import checked
from .push import Push
from .secrets import revealed

PAGE_SIZE, LARGEST_PAGE = 50, 100
IN_SEND = "configuration.taskPushNotificationConfig."


class PushServicer(a2a.A2AServiceServicer):
    """The part of lf.a2a.v1.A2AService that concerns push notifications."""

    def __init__(self, roster: Roster, push: Push) -> None:
        self._named, self.push = roster, push

    async def CreateTaskPushNotificationConfig(
        self, request: "a2a.TaskPushNotificationConfig", context: Context
    ) -> "a2a.TaskPushNotificationConfig":
        """Tell a webhook what becomes of a task from now on; of one that is over, how it ended."""
        call, task_id = current_call.get(), request.task_id
        version, trace = Parameters.of(context).version, call.traceparent
        new = checked(request, self.push.config, version=version, task_id=task_id, traceparent=trace)
        await self._check_task(call, task_id, request.tenant)
        try:
            worker = self.push.worker
            row = await self.push.configs.put(call.app, call.principal.id, task_id, new, worker=worker)
        except RunNotFound:
            raise a2a.TaskNotFound(task_id) from None
        self.push.placed(task_id, is_here=False)
        return shown(row)

    async def GetTaskPushNotificationConfig(
        self, request: "a2a.GetTaskPushNotificationConfigRequest", context: Context
    ) -> "a2a.TaskPushNotificationConfig":
        """Return a config without its secrets."""
        call = current_call.get()
        agent = self._agent(request.tenant)
        row = await self.push.configs.get(call.app, call.principal.id, request.task_id, request.id)
        if row is None or (agent and row.agent != agent):
            raise PushConfigNotFound(request.task_id, request.id)
        return shown(row)

    async def ListTaskPushNotificationConfigs(
        self, request: "a2a.ListTaskPushNotificationConfigsRequest", context: Context
    ) -> "a2a.ListTaskPushNotificationConfigsResponse":
        """List a task's configs, the oldest first."""
        call, size = current_call.get(), request.page_size
        if not 0 <= size <= LARGEST_PAGE:
            raise a2a.InvalidParams({"pageSize": f"must be between 1 and {LARGEST_PAGE}, found {size}"})
        await self._check_task(call, request.task_id, request.tenant)
        page = await self.push.configs.list(
            call.app,
            call.principal.id,
            run_id=request.task_id,
            page_size=size or PAGE_SIZE,
            page_token=request.page_token,
        )
        return a2a.ListTaskPushNotificationConfigsResponse(
            configs=map(shown, page.configs), next_page_token=page.next_page_token
        )

    async def DeleteTaskPushNotificationConfig(
        self, request: "a2a.DeleteTaskPushNotificationConfigRequest", context: Context
    ) -> "a2a.Empty":
        """Tell a webhook nothing more. One that is not there does not matter."""
        call = current_call.get()
        await self._check_task(call, request.task_id, request.tenant)
        await self.push.configs.delete(call.app, call.principal.id, request.task_id, request.id)
        self.push.wake(request.task_id)  # it finds that there is nothing to do for it, and is forgotten
        return a2a.Empty()

    def wanted(self, request: "a2a.SendMessageRequest", context: Context) -> tuple[NewPush, ...]:
        """Return who is to be told of a message's run, as the message itself says.

        Raises:
            InvalidParams: What it says cannot be.
        """
        if not request.HasField("configuration"):
            return ()
        if not request.configuration.HasField("task_push_notification_config"):
            return ()
        config = request.configuration.task_push_notification_config
        if config.task_id not in ("", request.message.task_id):
            raise a2a.InvalidParams({f"{IN_SEND}taskId": "leave it out: it is the message's"})
        version, trace = Parameters.of(context).version, current_call.get().traceparent
        settings = self.push.config
        return (checked(config, settings, version=version, task_id="", traceparent=trace, path=IN_SEND),)

    async def _check_task(self, call: Call, task_id: str, tenant: str) -> None:
        """Let a task pass that the caller has.

        Raises:
            TaskNotFound: It is not there, somebody else's, or another agent's.
        """
        agent = self._agent(tenant)
        run = await self.push.runs.get(call.app, call.principal.id, task_id)
        if run is None or not run.is_task or (agent and run.agent != agent):
            raise a2a.TaskNotFound(task_id)

    def _agent(self, tenant: str) -> str:
        return self._named.pick(tenant).name if tenant else ""


def shown(row: PushRow) -> "a2a.TaskPushNotificationConfig":
    """Return a config as anybody may see it: token and credentials are left out."""
    config = a2a.TaskPushNotificationConfig(id=row.id, task_id=row.run_id, url=row.url)
    scheme = revealed(row.secret).authentication.scheme
    if scheme:
        config.authentication.scheme = scheme
    return config
