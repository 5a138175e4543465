"""What the border tells agents of push notifications: in which version to send them."""

from typing import Any

import hector_a2a as a2a
from hector_a2a.parameters import VERSION

OLD_VERSION = (VERSION, "0.3")
"""Carried with requests of 0.3 that ask for notifications: these are sent in the words of who asked."""


def wants_push(request: Any) -> bool:
    """Say whether a request asks for push notifications."""
    if isinstance(request, a2a.SendMessageRequest):
        return request.HasField("configuration") and request.configuration.HasField(
            "task_push_notification_config"
        )
    return isinstance(request, a2a.TaskPushNotificationConfig)
