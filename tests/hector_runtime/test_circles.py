"""features.md, config.check: agents that end up at themselves, and agents that there are not."""

import pytest

from hector_runtime.circles import circles


def told(**agents: object) -> list[tuple[tuple[object, ...], str]]:
    return [(found.at, found.message) for found in circles({"agents": agents})]


def test_agents_in_a_row_are_no_circle() -> None:
    shared = {"sub_agents": ["c"]}
    assert told(a={"sub_agents": ["b", "c"]}, b=shared, c={}, d=shared) == []


@pytest.mark.parametrize("key", ["sub_agents", "agent_tools"])
def test_an_agent_that_names_itself_is_one(key: str) -> None:
    message = "agents call each other in a circle: a → a"
    assert told(a={key: ["b", "a"]}, b={}) == [(("agents", "a", key, 1), message)]


def test_a_circle_is_told_once_where_it_closes() -> None:
    assert told(
        x={"sub_agents": ["a"]}, a={"sub_agents": ["b"]}, b={"agent_tools": ["c"]}, c={"sub_agents": ["a"]}
    ) == [(("agents", "c", "sub_agents", 0), "agents call each other in a circle: a → b → c → a")]


def test_two_circles_are_two() -> None:
    found = told(a={"sub_agents": ["b"]}, b={"sub_agents": ["a", "c"]}, c={"sub_agents": ["b"]})
    assert [message.rpartition(": ")[2] for _, message in found] == ["a → b → a", "b → c → b"]


def test_an_agent_that_there_is_not_is_told_with_the_nearest_name() -> None:
    (found,) = circles({"agents": {"writer": {"sub_agents": ["writr"]}}})
    assert found.at == ("agents", "writer", "sub_agents", 0)
    assert found.message == '"writr" is not declared under agents:'
    assert found.hint == 'did you mean "writer"?'


def test_a_long_row_costs_no_stack() -> None:
    many = {f"a{n}": {"sub_agents": [f"a{n + 1}"]} for n in range(5000)}
    assert told(**many, a5000={"sub_agents": ["a0"]})[0][1].endswith("a7 → … → a0")


def test_what_has_another_shape_is_left_to_the_model() -> None:
    for agents in (None, [], "x", {"a": None}, {"a": {"sub_agents": "b"}}, {"a": {"sub_agents": [1, None]}}):
        assert list(circles({"agents": agents})) == []
