"""Older spellings of `agents`, and what agents once held inline."""

from hector_config import Alias, Map, Reform, Scalar, Seq, Spelling
from hector_config.problem import Path
from hector_config.spelling import put_at
from hector_config.tree import Node, child_of, node_at

_AGENT = "agents.*"
_SLOTS, _MEMORY, _TASK = f"{_AGENT}.prompt.prompt_slots", f"{_AGENT}.memory", f"{_AGENT}.task"
_WINDOW = ("strategy", "budget", "window_size", "threshold", "target", "preserve_recent", "summarizer_llm")
_NAMED = {
    "type": "object",
    "required": ["name"],
    "properties": {"name": {"type": "string"}, "config": {"type": "object"}},
    "additionalProperties": False,
}


def _tool_object(root: Map, path: Path, node: Node) -> bool | Path:
    """Make a name of `{name, config}`, and an entry of `tools:` of the rest."""
    name = child_of(node, "name")
    holder = node_at(root, path[:-1])
    if not isinstance(node, Map) or not isinstance(name, Scalar) or not isinstance(holder, Seq):
        return False
    mark, _ = node.take("name")
    holder.items[int(path[-1])] = name
    config, kind = node.entries.get("config"), child_of(node, "type")
    if isinstance(config, Map) and not (isinstance(kind, Scalar) and kind.text.startswith("plugin:")):
        node.take("config")
        if clash := put_at(root, ("tools", name.text), mark, config):
            return clash
    return put_at(root, ("tools", name.text), mark, node) or True


def _inline_model(root: Map, path: Path, node: Node) -> bool | Path:
    """Make an entry of `llms:` of `llm_config`, named after the agent."""
    agent = node_at(root, path[:-1])
    if not isinstance(node, Map) or not isinstance(agent, Map) or "llm" in agent.entries:
        return False
    mark, _ = agent.take(str(path[-1]))
    declared = child_of(root, "llms")
    taken = isinstance(declared, Map) and str(path[1]) in declared.entries
    name = f"{path[1]}_llm" if taken else str(path[1])
    agent.put("llm", mark, Scalar(mark, name, name, plain=False))
    return put_at(root, ("llms", name), mark, node) or True


def _docs_folder(root: Map, path: Path, node: Node) -> bool | Path:
    """Make a document store of a folder, watched, and let the agent search it."""
    agent = node_at(root, path[:-1])
    if not isinstance(node, Scalar) or not isinstance(agent, Map):
        return False
    mark, _ = agent.take(str(path[-1]))
    name = f"{path[1]}_docs"
    listed = agent.entries.get("document_stores")
    if not isinstance(listed, Seq):
        listed = Seq(mark)
        agent.put("document_stores", mark, listed)
    listed.items.append(Scalar(mark, name, name, plain=False))
    watch = Scalar(mark, "true", True, plain=True)
    taken = put_at(root, ("document_stores", name, "watch"), mark, watch)
    return taken or put_at(root, ("document_stores", name, "source", "path"), mark, node) or True


INLINE: tuple[Spelling, ...] = (
    Reform(f"{_AGENT}.tools.*", "its name, with its settings under tools:", _tool_object, schema=_NAMED),
    Reform(
        f"{_AGENT}.llm_config",
        "an entry of llms:, and its name as llm",
        _inline_model,
        like="llms.*",
    ),
    Reform(
        f"{_AGENT}.docs_folder",
        "an entry of document_stores:, and its name in the agent's document_stores",
        _docs_folder,
        schema={"type": "string"},
    ),
)

AGENTS: tuple[Spelling, ...] = (
    Alias(f"{_AGENT}.type", f"{_AGENT}.type", values={"native": "llm", "a2a": "remote"}),
    Alias(f"{_AGENT}.credentials.key", f"{_AGENT}.credentials.api_key"),
    Alias(f"{_AGENT}.credentials.header", f"{_AGENT}.credentials.api_key_header"),
    Alias(
        f"{_AGENT}.reasoning.engine",
        f"{_AGENT}.reasoning.strategy",
        values={"chain_of_thought": "chain-of-thought"},
    ),
    Alias(f"{_AGENT}.reasoning.enable_streaming", f"{_AGENT}.streaming"),
    Alias(f"{_AGENT}.reasoning.enable_tool_display", "", "hector call and hector chat show tool calls"),
    Alias(f"{_AGENT}.reasoning.enable_thinking_display", "", "thoughts are not part of an answer"),
    Alias(f"{_SLOTS}.system_role", f"{_AGENT}.prompt.role"),
    Alias(f"{_SLOTS}.instructions", f"{_AGENT}.instruction"),
    Alias(f"{_SLOTS}.user_guidance", f"{_AGENT}.prompt.guidance"),
    Alias(f"{_AGENT}.prompt.include_context", f"{_AGENT}.include_context"),
    Alias(f"{_AGENT}.prompt.include_context_limit", f"{_AGENT}.include_context_limit"),
    Alias(f"{_AGENT}.prompt.include_context_max_length", f"{_AGENT}.include_context_max_length"),
    Alias(f"{_MEMORY}.working.max_tokens", f"{_AGENT}.context.budget"),
    Alias(f"{_MEMORY}.working", f"{_AGENT}.context"),
    *(Alias(f"{_MEMORY}.{key}", f"{_AGENT}.context.{key}") for key in _WINDOW),
    Alias(f"{_MEMORY}.longterm", f"{_MEMORY}.long_term"),
    Alias(f"{_MEMORY}.long_term.auto_recall", f"{_MEMORY}.long_term.enable_auto_recall"),
    Alias(f"{_AGENT}.extended_card", f"{_AGENT}.a2a.extended_card"),
    Alias(f"{_AGENT}.a2a.input_modes", f"{_AGENT}.input_modes"),
    Alias(f"{_AGENT}.a2a.output_modes", f"{_AGENT}.output_modes"),
    Alias(f"{_AGENT}.a2a.skills", f"{_AGENT}.skills"),
    Alias(f"{_TASK}.timeout", f"{_AGENT}.timeout"),
    Alias(f"{_TASK}.backend", "storage.tasks.backend"),
    Alias(f"{_TASK}.sql_database", "storage.tasks.database"),
    Alias(f"{_TASK}.input_timeout", "server.approval.timeout"),
    Alias(f"{_TASK}.checkpoint.interval.every_n_iterations", "storage.checkpoint.interval"),
    Alias(f"{_TASK}.checkpoint.interval.after_tool_calls", "storage.checkpoint.after_tools"),
    Alias(f"{_TASK}.checkpoint.interval.before_llm_calls", "storage.checkpoint.before_llm"),
    Alias(f"{_TASK}.checkpoint", "storage.checkpoint"),
    Alias(f"{_TASK}.enable_checkpointing", "storage.checkpoint.enabled"),
    Alias(f"{_TASK}.checkpoint_strategy", "storage.checkpoint.strategy"),
    Alias(f"{_TASK}.checkpoint_interval", "storage.checkpoint.interval"),
    Alias(f"{_TASK}.checkpoint_after_tools", "storage.checkpoint.after_tools"),
    Alias(f"{_TASK}.checkpoint_before_llm", "storage.checkpoint.before_llm"),
    Alias(f"{_TASK}.auto_resume", "storage.checkpoint.recovery.auto_resume"),
    Alias(f"{_TASK}.auto_resume_hitl", "storage.checkpoint.recovery.auto_resume_hitl"),
    Alias(f"{_TASK}.resume_timeout", "storage.checkpoint.recovery.timeout"),
    Alias(
        f"{_AGENT}.notifications.*.events.*",
        f"{_AGENT}.notifications.*.events.*",
        values={f"task_{what}": f"task.{what}" for what in ("started", "completed", "failed")},
    ),
)
