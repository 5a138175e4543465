"""Older spellings load with a warning that says the new one; what is announced is refused by name."""

from typing import get_args

import pytest

from hector_config import ConfigInvalid, Loaded, Section
from hector_runtime.config import Config, load_config

OLD = {
    "llms.m.provider": ("llms: {m: {type: local}}", lambda c: c.llms["m"].provider, "local"),
    "llms.m.base_url": (
        "llms: {m: {provider: openai, host: 'http://h/v1'}}",
        lambda c: c.llms["m"].base_url,
        "http://h/v1",
    ),
    "embedders.e.provider": ("embedders: {e: {type: local}}", lambda c: c.embedders["e"].provider, "local"),
    'now "llm"': ("agents: {a: {type: native}}", lambda c: c.agents["a"].type, "llm"),
    "agents.a.reasoning.strategy": (
        "agents: {a: {reasoning: {engine: default}}}",
        lambda c: c.agents["a"].reasoning.strategy,
        "default",
    ),
    "agents.a.prompt.role": (
        "agents: {a: {prompt: {prompt_slots: {system_role: You}}}}",
        lambda c: c.agents["a"].prompt.role,
        "You",
    ),
    "tools.t.require_approval": (
        "tools: {t: {type: search, enable_approval: false}}",
        lambda c: c.tools["t"].require_approval,
        False,
    ),
    "require_approval": (
        "tools: {t: {type: search, requires_approval: true}}",
        lambda c: c.tools["t"].require_approval,
        True,
    ),
    "tools.t.timeout": (
        "tools: {t: {type: search, max_execution_time: 5s}}",
        lambda c: c.tools["t"].timeout,
        5.0,
    ),
    'now "todo_write"': ("tools: {t: {type: todo}}", lambda c: c.tools["t"].tool, "todo_write"),
    'now "embedded"': (
        "vector_stores: {v: {type: chromem}}",
        lambda c: c.vector_stores["v"].type,
        "embedded",
    ),
    "vector_stores.v": (
        "databases: {v: {type: chromem}}",
        lambda c: c.vector_stores["v"].type,
        "embedded",
    ),
    "document_stores.d.source.path": (
        "document_stores: {d: {source: directory, path: ./x}}",
        lambda c: c.document_stores["d"].source.path.name,
        "x",
    ),
    "server.host": (
        "global: {a2a_server: {host: 127.0.0.2, port: 1, grpc_port: 2}}",
        lambda c: (c.server.host, c.server.port, c.server.grpc_port),
        ("127.0.0.2", 1, 2),
    ),
    "logger": (
        "global: {logging: {level: warn, format: simple}}",
        lambda c: (c.logger.level, c.logger.format),
        ("warn", "text"),
    ),
    "observability.tracing.endpoint": (
        "global: {observability: {tracing: {enabled: false, endpoint_url: 'h:1'}}}",
        lambda c: c.observability.tracing.endpoint,
        "h:1",
    ),
}

NOT_YET = [
    "guardrails: {g: {}}",
    "rate_limiting: {enabled: true}",
    "session_stores: {s: {}}",
    "databases: {d: {driver: postgres}}",
    "defaults: {session_store: x}",
    "observability: {tracing: {headers: {a: b}}}",
    "agents: {a: {sub_agents: [b]}}",
    "agents: {a: {agent_tools: [b]}}",
    "agents: {a: {trigger: {schedule: x}}}",
    "agents: {a: {notifications: []}}",
    "agents: {a: {structured_output: {schema: {}}}}",
    "agents: {a: {context: {strategy: token_window}}}",
    "agents: {a: {memory: {working: {strategy: summary_buffer}}}}",
    "agents: {a: {guardrails: strict}}",
    "agents: {a: {type: sequential, sub_agents: [b]}}",
    "agents: {a: {type: a2a, url: 'http://x'}}",
    "agents: {a: {reasoning: {engine: supervisor}}}",
    "agents: {a: {reasoning: {enable_exit_tool: true}}}",
    "agents: {a: {prompt: {include_context: true}}}",
    "llms: {m: {provider: anthropic}}",
    "llms: {m: {provider: local, structured_output: {}}}",
    "embedders: {e: {provider: openai}}",
    "vector_stores: {v: {type: qdrant}}",
    "document_stores: {d: {source: {type: sql, sql: {}}}}",
    "document_stores: {d: {source: directory, sql_tables: []}}",
    "document_stores: {d: {source: {path: .}, search: {enable_rerank: true}}}",
    "tools: {t: {type: command, allowed_commands: [ls]}}",
    "tools: {t: {type: mcp, url: 'http://x'}}",
    "tools: {t: {type: search, approval_prompt: x}}",
    "server: {auth: {jwks_url: 'http://x'}}",
    "server: {studio: {enabled: true}}",
    "server: {tasks: {backend: sql}}",
    "global: {auth: {jwks_url: 'http://x'}}",
    "storage: {tasks: {backend: sql}}",
]


@pytest.fixture
def loaded(tmp_path):
    def load(text: str) -> Loaded[Config]:
        path = tmp_path / "hector.yaml"
        path.write_text(text)
        return load_config(path, {})

    return load


@pytest.mark.parametrize("new", OLD)
def test_an_older_spelling_loads_and_the_warning_says_the_new_one(new, loaded):
    text, value, expected = OLD[new]
    found = loaded(text)
    assert value(found.config) == expected
    told = "\n".join(map(str, found.warnings))
    assert "old spelling" in told
    assert new in told
    assert "hector.yaml:1:" in told


@pytest.mark.parametrize("text", NOT_YET)
def test_what_is_announced_is_refused_by_name_and_not_as_a_slip(text, loaded):
    with pytest.raises(ConfigInvalid) as refused:
        loaded(text)
    told = str(refused.value)
    assert "not available in this version" in told or "does not use yet" in told, told
    assert "did you mean" not in told, told


def sections_of(model: type[Section]) -> dict[str, type[Section]]:
    """Return every section that a model holds, by name."""
    found = {model.__name__: model}
    for field in model.model_fields.values():
        for section in sections_in(field.annotation):
            if section.__name__ not in found:
                found |= sections_of(section)
    return found


def sections_in(annotation: object) -> list[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [section for inner in get_args(annotation) for section in sections_in(inner)]


@pytest.mark.parametrize("section", sections_of(Config).values())
def test_a_key_that_exists_by_now_is_no_longer_told_as_later(section):
    """Ours: else nobody could use it."""
    assert not set(section.later) & set(section.model_fields)
