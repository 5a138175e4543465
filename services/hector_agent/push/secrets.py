"""What a webhook knows us by: kept in the database, sent to the webhook, and shown to nobody."""

import hector_a2a as a2a


def kept(config: "a2a.TaskPushNotificationConfig") -> bytes:
    """Return what is secret in a config, as the database keeps it.

    In clear, as it must be sent in clear: the database also holds what these webhooks are told. It is in a
    column of its own, so that who reads configs for other purposes does not read it.
    """
    secret = a2a.TaskPushNotificationConfig(token=config.token)
    if config.HasField("authentication"):
        secret.authentication.CopyFrom(config.authentication)
    return secret.SerializeToString()


def revealed(secret: bytes) -> "a2a.TaskPushNotificationConfig":
    """Return token and authentication, to send them."""
    return a2a.TaskPushNotificationConfig.FromString(secret)
