"""Push notifications: tells webhooks what happens in runs. The run log is the outbox, a config its cursor."""
