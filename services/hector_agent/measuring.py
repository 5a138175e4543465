"""What is counted and logged of runs, their model calls and their tool calls: never what was said."""

import logging
from collections.abc import Callable, Sequence
from time import perf_counter

import grpc.aio

from hector.agent.v1 import RUN_STATE_CANCELED, RUN_STATE_COMPLETED, StepRetried, ToolFinished, ToolStarted
from hector.common.v1 import Message, TokenUsage, Tool
from hector.llm.v1 import GenerationOptions, LLMProviderStub
from hector_mesh import Call, HectorError, info_of, metrics
from hector_mesh.lines import line
from hector_mesh.metrics import ERRORS, LONG, OTHER, Counter, Gauge, Histogram
from hector_store import Dead

from . import model
from .moment import Place
from .run import Run

log = logging.getLogger(__name__)

RUNS = Counter("hector_agent_requests_total", "Runs that ended, by how they ended.", ("agent", "outcome"))
RUN_S = Histogram(
    "hector_agent_request_duration_seconds", "From a run's first event to its last.", ("agent",), bounds=LONG
)
ACTIVE = Gauge("hector_agent_runs_active", "Runs at work, or waiting for their turn.", ("agent",))

_MODEL = ("agent", "provider", "model")
ASKED = Counter("hector_llm_requests_total", "Model calls, failed ones included.", _MODEL)
ASKED_S = Histogram("hector_llm_request_duration_seconds", "Whole model calls.", _MODEL, bounds=LONG)
FIRST_S = Histogram(
    "hector_llm_time_to_first_token_seconds", "From a model call to its first text.", _MODEL, bounds=LONG
)
FAILED = Counter(
    "hector_llm_errors_total",
    "Model calls that failed, by reason.",
    ("agent", "provider", "model", "error_type"),
)
TOKENS = Counter(
    "hector_llm_tokens_total",
    "Tokens as providers count them. cached is part of prompt, and reasoning of completion.",
    ("agent", "type"),
)

COST = Counter(
    "hector_cost_usd_total", "What model calls cost, where llms.*.price says what tokens do.", _MODEL
)

CALLED = Counter("hector_tool_calls_total", "Tool calls, by outcome.", ("agent", "tool", "status"))
CALLED_S = Histogram("hector_tool_call_duration_seconds", "Tool calls.", ("agent", "tool"), bounds=LONG)
LEASES_LOST = Counter("hector_leases_lost_total", "Leases that were over before they could be renewed.")
TAKEN_OVER = Counter(
    "hector_takeovers_total", "Runs that were taken over from a worker that is gone.", ("agent",)
)
CLAIMED = Counter("hector_runs_claimed_total", "Runs that were claimed, by why.", ("reason",))
DOUBTED = Counter(
    "hector_effects_in_doubt_total",
    "Tool calls whose process died in the middle of them, by what became of them.",
    ("agent", "outcome"),
)

RETRIED = Counter(
    "hector_step_retries_total", "Steps that failed and were tried again.", ("agent", "step", "reason")
)
DEAD = Counter("hector_dead_lettered_total", "Runs that nobody tries again, by why.", ("agent", "reason"))

_TYPES = (
    ("prompt", "prompt_tokens"),
    ("completion", "completion_tokens"),
    ("cached", "cached_prompt_tokens"),
    ("reasoning", "reasoning_tokens"),
)
TOLD = ("llm", "base_url", "status", "phase", "retry_after_s", "limit", "database", "tool", "role", "target")
"""Facts of a failure that are logged: they name things. Others may hold what somebody said."""
OUTCOMES = {RUN_STATE_COMPLETED: "completed", RUN_STATE_CANCELED: "canceled"}


async def ask(
    llm: LLMProviderStub,
    name: str,
    messages: Sequence[Message],
    tools: Sequence[Tool],
    options: GenerationOptions | None,
    show: Callable[[str], None],
    *,
    stream: bool,
    agent: str,
    limit_bytes: int,
) -> model.Turn:
    """Ask a model as `model.ask` does, and take note of how that went."""
    if not metrics.enabled() and not log.isEnabledFor(logging.DEBUG):
        return await model.ask(
            llm, name, messages, tools, options, show, stream=stream, agent=agent, limit_bytes=limit_bytes
        )
    provider, model_name = metrics.entry(name)
    labels, begun, seen = (agent, provider, model_name), perf_counter(), False

    def first(text: str) -> None:
        nonlocal seen
        if not seen:
            seen = True
            FIRST_S.since(begun, *labels)
        show(text)

    reason = ""
    usage = TokenUsage()
    try:
        turn = await model.ask(
            llm, name, messages, tools, options, first, stream=stream, agent=agent, limit_bytes=limit_bytes
        )
        usage = turn.usage
    except (HectorError, grpc.aio.AioRpcError) as error:
        reason = reason_of(error)
        FAILED.add(*labels, reason)
        ERRORS.add("llm", reason)
        raise
    finally:
        ASKED.add(*labels)
        ASKED_S.since(begun, *labels)
        _spend(labels, name, usage)
        facts = {"agent": agent, "llm": name, "duration_ms": _ms(begun), "tokens": usage.total_tokens}
        log.debug("model call ended", extra=facts | ({"reason": reason} if reason else {}))
    return turn


def tool_called(place: Place, finished: ToolFinished, instance: str) -> None:
    """Take note of a tool call; one that nobody serves has no name of its own here."""
    failed = finished.HasField("error")
    status = "error" if failed or finished.result.error else "success"
    tool = finished.tool if instance else OTHER
    CALLED.add(place.agent, tool, status)
    CALLED_S.observe(place.agent, tool, value=finished.duration_ms / 1000)
    if failed:
        ERRORS.add("tool", finished.error.reason or OTHER)
    facts = {
        "run": place.run,
        "agent": place.agent,
        "tool": tool,
        "status": status,
        "duration_ms": finished.duration_ms,
    }
    log.debug("tool call ended", extra=facts | ({"reason": finished.error.reason} if failed else {}))


def in_doubt(place: Place, event: ToolStarted, policy: str, outcome: str) -> None:
    """Take note of what becomes of a call of which nobody knows whether it took effect."""
    DOUBTED.add(place.agent, outcome)
    facts = {"run": place.run, "agent": place.agent, "tool": event.call.name, "effect": event.effect_id}
    log.warning("tool call was in doubt", extra=facts | {"policy": policy, "outcome": outcome})


def step_retried(place: Place, retried: StepRetried) -> None:
    """Take note of a step that is tried again."""
    reason = retried.error.reason or OTHER
    RETRIED.add(place.agent, retried.step, reason)
    facts: dict[str, object] = {"run": place.run, "agent": place.agent, "step": retried.step}
    facts |= {"reason": reason, "attempt": retried.attempt, "delay_ms": retried.delay_ms}
    log.info("step failed and is tried again", extra=facts)


def buried(place: Place, dead: Dead) -> None:
    """Take note of a run that nobody tries again."""
    DEAD.add(place.agent, dead.reason or OTHER)
    facts = {"run": place.run, "agent": place.agent, "reason": dead.reason, "attempts": dead.attempts}
    log.error("run was given up", extra=facts)


def run_ended(run: Run, call: Call, begun: float) -> None:
    """Take note of a run that is over, or that this process lets go of."""
    place = run.place
    outcome = OUTCOMES.get(run.state, "failed")
    RUNS.add(place.agent, outcome)
    RUN_S.since(begun, place.agent)
    if outcome == "failed":
        ERRORS.add("agent", run.reason or OTHER)
    facts: dict[str, object] = {
        "run": place.run,
        "agent": place.agent,
        "context": place.context,
        "app": place.app,
        "outcome": outcome,
        "duration_ms": _ms(begun),
        "tokens": run.tokens,
        "request_id": call.request_id,
    }
    if len(call.traceparent) > 35:
        facts["trace_id"] = call.traceparent[3:35]
    if run.reason:
        facts["reason"] = run.reason
        facts |= {name: run.about[name] for name in TOLD if name in run.about}
    line(log, logging.WARNING if outcome == "failed" else logging.INFO, "run ended", facts)


def count_tokens(run: Run, usage: TokenUsage) -> None:
    """Count what a run's agent spent on models that it asked by itself. What they cost, nobody here knows."""
    run.tokens += usage.total_tokens
    _add_tokens(run.place.agent, usage)


def reason_of(error: HectorError | grpc.aio.AioRpcError) -> str:
    """Return why, in a word that never varies."""
    if isinstance(error, HectorError):
        return error.reason
    return info_of(error).reason or error.code().name


def _spend(labels: tuple[str, ...], llm: str, usage: TokenUsage) -> None:
    agent = labels[0]
    if price := metrics.price(llm):
        read, cached, written = price
        fresh = usage.prompt_tokens - usage.cached_prompt_tokens
        dollars = fresh * read + usage.cached_prompt_tokens * cached + usage.completion_tokens * written
        COST.add(*labels, amount=max(0.0, dollars))
    _add_tokens(agent, usage)


def _add_tokens(agent: str, usage: TokenUsage) -> None:
    for kind, field in _TYPES:
        if amount := getattr(usage, field):
            TOKENS.add(agent, kind, amount=amount)


def _ms(begun: float) -> int:
    return round((perf_counter() - begun) * 1000)
