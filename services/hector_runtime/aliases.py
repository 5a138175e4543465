"""Older spellings that still load, and keys that are known but come later: one table of each."""

from hector_config import Alias, Map, Scalar, Unavailable

_VECTOR_STORES = ("embedded", "chromem", "qdrant", "pinecone", "weaviate", "milvus", "chroma", "pgvector")

ALIASES: tuple[Alias, ...] = (
    Alias("llms.*.type", "llms.*.provider"),
    Alias("llms.*.host", "llms.*.base_url"),
    Alias("embedders.*.type", "embedders.*.provider"),
    Alias("embedders.*.host", "embedders.*.base_url"),
    Alias("agents.*.type", "agents.*.type", values={"native": "llm", "a2a": "remote"}),
    Alias("agents.*.reasoning.engine", "agents.*.reasoning.strategy"),
    Alias("agents.*.prompt.prompt_slots.system_role", "agents.*.prompt.role"),
    Alias("agents.*.prompt.prompt_slots.instructions", "agents.*.instruction"),
    Alias("agents.*.prompt.prompt_slots.user_guidance", "agents.*.prompt.guidance"),
    Alias("tools.*.enable_approval", "tools.*.require_approval"),
    Alias("tools.*.requires_approval", "tools.*.require_approval"),
    Alias("tools.*.max_execution_time", "tools.*.timeout"),
    Alias("tools.*.type", "tools.*.type", values={"todo": "todo_write", "command": "execute_command"}),
    # Before chromem is renamed: what moves here may be one.
    Alias("databases.*", "vector_stores.*", shape=Map, when={"type": _VECTOR_STORES}),
    Alias(
        "vector_stores.*.type",
        "vector_stores.*.type",
        note="a store of that name begins empty: documents are indexed again",
        values={"chromem": "embedded"},
    ),
    Alias("document_stores.*.source", "document_stores.*.source.type", shape=Scalar),
    Alias("document_stores.*.path", "document_stores.*.source.path"),
    Alias("document_stores.*.include_patterns", "document_stores.*.source.include"),
    Alias("document_stores.*.exclude_patterns", "document_stores.*.source.exclude"),
    Alias("document_stores.*.max_file_size", "document_stores.*.source.max_file_size"),
    Alias("document_stores.*.enable_watch_changes", "document_stores.*.watch"),
    Alias("document_stores.*.enable_incremental_indexing", "document_stores.*.incremental_indexing"),
    Alias("global.a2a_server.host", "server.host"),
    Alias("global.a2a_server.port", "server.port"),
    Alias("global.a2a_server.grpc_port", "server.grpc_port"),
    Alias("global.a2a_server.base_url", "server.public_url"),
    Alias("global.a2a_server.tls", "server.tls"),
    Alias("global.auth", "server.auth"),
    Alias("global.observability", "observability"),
    Alias("server.observability", "observability"),
    Alias("observability.tracing.endpoint_url", "observability.tracing.endpoint"),
    Alias("observability.tracing.exporter_type", "observability.tracing.exporter"),
)
"""In the order in which they are applied."""

_SECTIONS = {
    "config": "the config is a file",
    "databases": "vector stores stand under vector_stores, the database of runs under storage.database",
    "defaults": "name the model in each agent's llm, or call it default",
    "global": "",
    "guardrails": "",
    "logger": "use --log-level and --log-format",
    "metadata": "",
    "observability.enable_metrics": "",
    "observability.enabled": "",
    "observability.metrics_endpoint": "",
    "plugins": "",
    "rate_limiting": "",
    "session_stores": "sessions are kept in storage.database",
}
_METRICS = ("namespace", "subsystem", "const_labels")
_TRACING = ("capture_payloads", "debug_exporter", "headers", "service_version", "timeout")
_STORAGE = ("checkpoint", "memory", "sessions", "tasks")
_SERVER = ("checkpoint", "memory", "sessions", "tasks")
_AGENT = (
    *("a2a", "agent_card_file", "agent_card_url", "agent_tools", "condition_agent"),
    *("condition_field", "context", "credentials", "docs_folder", "embedder", "embedder_config"),
    *("enable_tools", "guardrails", "headers", "include_context", "include_context_limit"),
    *("include_context_max_length", "llm_config", "max_iterations", "mcp_parser_tool", "memory"),
    *(
        "notifications",
        "on_false_agent",
        "on_false_response",
        "on_true_agent",
        "on_true_response",
        "output_key",
    ),
    *("search", "security", "session_store", "structured_output", "sub_agents", "target_agent_id"),
    *("task", "trigger", "url", "vector_store", "vector_store_config"),
)
_AGENT_TYPES = ("remote", "sequential", "parallel", "loop", "conditional", "runner")
_REASONING = (
    *("completion_instruction", "enable_escalate_tool", "enable_exit_tool", "enable_streaming"),
    *("enable_thinking_display", "enable_tool_display", "termination_conditions"),
)
_STRATEGIES = ("chain-of-thought", "chain_of_thought", "supervisor")
_PROMPT = ("include_context", "include_context_limit", "include_context_max_length", "prompt_slots")
_TOOL = ("approval_prompt", "internal")
_VECTOR_STORE = ("ca_certificate", "insecure_skip_verify")
_DOCUMENTS = ("additional_exclude_patterns", "api", "sql", "sql_database", "sql_max_rows", "sql_tables")

UNAVAILABLE: tuple[Unavailable, ...] = (
    *(Unavailable(section, note) for section, note in _SECTIONS.items()),
    *(Unavailable(f"observability.tracing.{key}") for key in _TRACING),
    *(Unavailable(f"observability.metrics.{key}", "relabel where you scrape") for key in _METRICS),
    *(Unavailable(f"storage.{key}", "all of it is kept in storage.database") for key in _STORAGE),
    *(Unavailable(f"server.{key}", "all of it is kept in storage.database") for key in _SERVER),
    Unavailable("agents.*.type", values=_AGENT_TYPES),
    *(Unavailable(f"agents.*.{key}") for key in _AGENT),
    *(Unavailable(f"agents.*.reasoning.{key}") for key in _REASONING),
    Unavailable("agents.*.reasoning.strategy", values=_STRATEGIES),
    *(Unavailable(f"agents.*.prompt.{key}") for key in _PROMPT),
    Unavailable("llms.*.structured_output"),
    *(Unavailable(f"tools.*.{key}") for key in _TOOL),
    *(Unavailable(f"vector_stores.*.{key}") for key in _VECTOR_STORE),
    *(Unavailable(f"document_stores.*.{key}") for key in _DOCUMENTS),
)
"""Known, but not available in this version. What a room knows better it says itself, in the same words."""
