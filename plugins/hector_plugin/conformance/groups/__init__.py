"""The checks, by what they are about. Importing a module adds its checks, in this order."""

from . import (  # noqa: F401, I001  the order is that of the report
    handshake,
    identity,
    errors,
    load,
    model,
    database,
    embedder,
    tool,
    reasoning,
    parser,
    agent,
    guardrail,
    ending,
    sandbox,
    logs,
)
