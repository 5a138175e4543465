"""What an agent's card does not offer is refused before anything else is looked at."""

from typing import Any

import hector_a2a as a2a
from hector.agent.v1 import Agent

from .directory import is_gone
from .errors import NoSuchAgent
from .methods import Method

EXTENDED_CARD = "GetExtendedAgentCard"
"""The operation that the gateway answers itself."""

OF_TASKS = frozenset({"GetTask", "ListTasks", "CancelTask", "SubscribeToTask"})
"""What can be asked of an agent that is gone: its runs end as they began, and clients keep what they have."""


def check_method(method: Method, agent: Agent) -> None:
    """Let an operation pass, whatever it is asked with.

    Raises:
        UnsupportedOperation: A stream of an agent that does not stream.
        PushNotificationNotSupported: Anything about push notifications.
        NoSuchAgent: Anything but reading and cancelling tasks of an agent that is gone.
    """
    if is_gone(agent) and method.name not in OF_TASKS:
        raise NoSuchAgent(agent.name, ())
    if method.streams and not agent.streaming:
        raise a2a.UnsupportedOperation(f"agent {agent.name!r} does not stream; use SendMessage and GetTask")
    if "PushNotification" in method.name:
        raise a2a.PushNotificationNotSupported


def check_request(request: Any) -> None:
    """Let a request pass.

    Raises:
        PushNotificationNotSupported: A message that wants them.
    """
    if isinstance(request, a2a.SendMessageRequest) and request.configuration.HasField(
        "task_push_notification_config"
    ):
        raise a2a.PushNotificationNotSupported
