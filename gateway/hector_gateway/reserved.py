"""Names that lead elsewhere at the root of the HTTP port, where a tenant's name may stand as well."""

RESERVED = frozenset(
    {
        "v1",
        "admin",
        "agents",
        "apps",
        "api",
        "schema",
        "tasks",
        "sessions",
        "extendedAgentCard",
        "message:send",
        "message:stream",
        ".well-known",
    }
)
"""What no tenant at the root is called."""
