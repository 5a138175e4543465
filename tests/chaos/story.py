"""What the log says of runs, and the promises that it is held to, whatever was killed."""

import re
from collections import Counter
from collections.abc import Collection, Sequence

from chaos.clients import Client
from chaos.replicas import Store
from chaos.world import SCRIPTS, World, answer_to

from hector.agent.v1 import RunEvent

VISIBLE = {"text_appended", "artifact_saved", "status_changed", "tool_started", "tool_finished"}
"""Events of which A2A has something to show."""
GIVEN_UP = "EFFECT_IN_DOUBT"

Story = list[RunEvent]


async def stories_of(store: Store, runs: Collection[str]) -> dict[str, Story]:
    """Return the events of runs, by run."""
    names = ", ".join(f"'{run}'" for run in [*runs, "none"])
    found: dict[str, Story] = {run: [] for run in runs}
    rows = await store.rows(
        f"SELECT run_id, seq, payload FROM run_events WHERE run_id IN ({names}) ORDER BY run_id, seq"
    )
    for run, seq, payload in rows:
        event = RunEvent.FromString(bytes(payload))
        event.run, event.seq = run, seq
        found[run].append(event)
    return found


async def unfinished(store: Store) -> list[tuple[str, str]]:
    """Return runs that are not over, with their state."""
    rows = await store.rows("SELECT id, state FROM runs WHERE finished = FALSE")
    return [(run, state) for run, state in rows]


def check(story: Story, client: Client, world: World, task: dict) -> None:
    """Hold one run to all promises.

    1. Its log has no gaps, and ends with its one final state.
    2. Owners follow each other with rising epochs.
    3. A model's turn that was committed is not asked for again; one that was not, once for each owner.
    4. So are tools; and each effect is there once, or the run says that nobody knows.
    5. The answer is whole.
    6. Who followed it, at whatever replica, saw each event, and has what GetTask has.
    """
    told = f"{client.question} ({client.kind}, task {client.task}):\n{shown(story)}"
    assert [event.seq for event in story] == list(range(1, len(story) + 1)), told
    finals = [event.seq for event in story if _is_final(event)]
    assert finals == [len(story)], told
    epochs = [event.owner_changed.epoch for event in story if event.HasField("owner_changed")]
    assert epochs == sorted(set(epochs)), told
    _check_model(story, client, world, told)
    _check_tools(story, client, world, told)
    gave_up = story[-1].status_changed.error.reason == GIVEN_UP
    if gave_up:
        assert client.kind == "launch", told
    else:
        assert client.state == "TASK_STATE_COMPLETED", f"{client.state} {client.said}\n{told}"
        last = list(client.artifacts.values())[-1]
        assert last == answer_to(client.question), f"{client.artifacts}\n{told}"
    _check_stream(story, client, task, told)


def _check_model(story: Story, client: Client, world: World, told: str) -> None:
    steps = len(SCRIPTS[client.kind])
    owners = step = 0
    for event in story:
        owners += event.HasField("owner_changed")
        if event.HasField("model_answered"):
            asks = world.asks[client.question, step]
            assert 1 <= asks <= 1 + owners, f"step {step} was asked for {asks} times\n{told}"
            owners, step = 0, step + 1
    answered = Counter(event.WhichOneof("event") for event in story)["model_answered"]
    assert answered in (steps, steps + 1), told


def _check_tools(story: Story, client: Client, world: World, told: str) -> None:
    begun: dict[str, int] = {}
    effects: dict[str, str] = {}
    again = Counter[str]()
    owners = 0
    for event in story:
        owners += event.HasField("owner_changed")
        if event.HasField("tool_started"):
            started = event.tool_started
            again[started.effect_id] += 1
            begun.setdefault(started.call.id, owners)
            effects[started.call.id] = started.effect_id
            assert started.call.name in [tool for step in SCRIPTS[client.kind] for tool in step], told
        elif event.HasField("tool_finished"):
            call = event.tool_finished.call_id
            calls = world.calls[effects[call]]
            most = 1 + owners - begun[call]
            assert calls <= most, f"{call} was made {calls} times, and may be {most} times\n{told}"
    assert len(set(effects.values())) == len(effects), told
    for step in SCRIPTS[client.kind]:
        for tool in step:
            there = world.effects[tool, client.question]
            if story[-1].status_changed.error.reason == GIVEN_UP:
                assert there <= 1, f"{tool} took effect {there} times\n{told}"
            elif tool == "look":  # it changes nothing, and may be repeated
                assert there >= 1, told
            elif tool != "ask_person":
                assert there == 1, f"{tool} took effect {there} times\n{told}"


def _check_stream(story: Story, client: Client, task: dict, told: str) -> None:
    wanted = {
        event.seq for event in story if event.WhichOneof("event") in VISIBLE and event.seq > client.seen_from
    }
    told = f"{client.refusals}\n{sorted(client.shown)} were shown, from {client.seen_from} on\n{told}"
    assert wanted <= client.shown, f"{sorted(wanted - client.shown)} were not shown\n{told}"
    kept = {
        one["artifactId"]: "".join(part.get("text", "") for part in one.get("parts", []))
        for one in task.get("artifacts", [])
    }
    mine = {name: text for name, text in client.artifacts.items() if text}
    assert mine == {name: text for name, text in kept.items() if text}, f"{mine}, and GetTask: {kept}\n{told}"
    assert client.state == task["status"]["state"], told


def _is_final(event: RunEvent) -> bool:
    return event.status_changed.state in (3, 4, 5, 7)


def shown(story: Sequence[RunEvent]) -> str:
    """Return a log as lines that a person can read."""
    lines = []
    for event in story:
        kind = event.WhichOneof("event") or ""
        text = re.sub(r"\s+", " ", str(getattr(event, kind, "")))
        lines.append(f"  {event.seq:3} {kind}: {text[:160]}")
    return "\n".join(lines)
