"""What an agent's card does not offer is refused before anything else is looked at."""

from typing import Any

import hector_a2a as a2a
from hector.agent.v1 import Agent

from .methods import Method

_CARD = "GetExtendedAgentCard"


def check(method: Method, request: Any, agent: Agent) -> None:
    """Let a call pass that the agent's card offers; raises as `check_method` and `check_request` do."""
    check_method(method, agent)
    check_request(request)


def check_method(method: Method, agent: Agent) -> None:
    """Let an operation pass, whatever it is asked with.

    Raises:
        UnsupportedOperation: A stream of an agent that does not stream, or the extended card.
        PushNotificationNotSupported: Anything about push notifications.
    """
    if method.streams and not agent.streaming:
        raise a2a.UnsupportedOperation(f"agent {agent.name!r} does not stream; use SendMessage and GetTask")
    if method.name == _CARD:
        raise a2a.UnsupportedOperation(
            f"agent {agent.name!r} has no extended card; its public card is complete"
        )
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
