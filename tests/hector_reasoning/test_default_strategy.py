"""The default strategy as plain values: what it saw goes in, what to do comes out."""

import pytest

from hector.common.v1 import Blob, Message, Part, ToolCall, ToolResult
from hector.llm.v1 import FINISH_REASON_CONTENT_FILTER, FINISH_REASON_LENGTH, FINISH_REASON_STOP
from hector.reasoning.v1 import Ask, Observation
from hector_reasoning.circles import STOPPED_AFTER, STOPPED_AFTER_GOOD, WARNED_AFTER
from hector_reasoning.default import EMPTY, conclusion, decide
from hector_reasoning.errors import GoesInCircles, NothingCameOfAsking, StateUnreadable
from hector_reasoning.state import VERSION, Memory, read, written

START = Memory("default", limit=3)


def answer(*parts: Part, why=FINISH_REASON_STOP) -> Observation:
    return Observation(action_id="ask-1", message=Message(parts=parts), finish_reason=why)


def test_nothing_seen_yet_means_asking_the_agents_own_conversation():
    memory, decision = decide(START, [])
    wanted = Ask(conversation=Ask.CONVERSATION_APPEND, may_conclude=True)
    assert [action.ask for action in decision.actions] == [wanted]
    assert not decision.done
    assert memory.asked == 1


def test_calls_of_one_turn_are_made_side_by_side():
    calls = [ToolCall(id="a", name="x"), ToolCall(id="b", name="y")]
    _, decision = decide(START, [answer(Part(text="let me see"), *(Part(tool_call=call) for call in calls))])
    assert [action.tool_call for action in decision.actions] == calls
    assert not decision.sequential


def test_results_are_put_to_the_model_and_failed_ones_too():
    seen = [
        Observation(action_id="tool-1-1", tool_result=ToolResult(tool_call_id="a", parts=[Part(text="42")])),
        Observation(action_id="tool-1-2", tool_result=ToolResult(tool_call_id="b", error=True)),
        Observation(action_id="tool-1-3", error="the tool is gone"),
    ]
    _, decision = decide(START, seen)
    assert decision.actions[0].HasField("ask")


def test_an_answer_without_calls_ends_the_run_with_nothing_to_add():
    _, decision = decide(START, [answer(Part(text="42"))])
    assert (decision.done, decision.finalized, decision.result) == (True, True, "")


@pytest.mark.parametrize(
    ("why", "note"), [(FINISH_REASON_LENGTH, "max_tokens"), (FINISH_REASON_CONTENT_FILTER, "held back")]
)
def test_an_answer_that_was_cut_off_says_so(why, note):
    _, decision = decide(START, [answer(Part(text="The capital of Fr"), why=why)])
    assert decision.done
    assert note in decision.result


def test_calls_are_made_even_when_the_turn_was_cut_off():
    cut = Part(tool_call=ToolCall(id="a", name="x", arguments_json='{"query": "fo'))
    _, decision = decide(START, [answer(cut, why=FINISH_REASON_LENGTH)])
    assert decision.actions[0].tool_call.arguments_json == '{"query": "fo'


@pytest.mark.parametrize("parts", [(), (Part(text="  \n"),)])
def test_an_answer_of_nothing_is_not_silence(parts):
    _, decision = decide(START, [answer(*parts)])
    assert decision.result == EMPTY


def test_a_picture_is_an_answer():
    _, decision = decide(START, [answer(Part(blob=Blob(media_type="image/png", data=b"x")))])
    assert (decision.done, decision.result) == (True, "")


def test_a_model_that_could_not_be_asked_fails_the_run():
    with pytest.raises(NothingCameOfAsking, match="no route"):
        decide(START, [Observation(action_id="ask-1", error="no route to host")])


def repeated(times: int, *, failed: bool, text: str = "same") -> list[Ask]:
    """Return what a model is asked that makes the same call over and over."""
    memory, asked = START, []
    for turn in range(times):
        call = ToolCall(id=f"call-{turn}", name="look", arguments_json='{"at": "x"}')
        memory, _ = decide(memory, [answer(Part(tool_call=call))])
        said = f"broken at {turn}" if failed else text.format(turn)
        result = ToolResult(tool_call_id=call.id, name="look", parts=[Part(text=said)], error=failed)
        memory, decision = decide(memory, [Observation(action_id=f"tool-{turn}", tool_result=result)])
        asked.append(decision.actions[0].ask)
    return asked


def test_a_model_that_repeats_a_failing_call_is_told_and_then_stopped():
    asked = repeated(STOPPED_AFTER - 1, failed=True)
    assert [bool(ask.messages) for ask in asked] == [n >= WARNED_AFTER for n in range(1, STOPPED_AFTER)]
    assert asked[-1].conversation == Ask.CONVERSATION_ASIDE
    assert "look" in asked[-1].messages[0].parts[0].text
    with pytest.raises(GoesInCircles, match=f"called look {STOPPED_AFTER} times in a row"):
        repeated(STOPPED_AFTER, failed=True)


def test_a_model_that_polls_is_given_more_time_and_one_that_gets_on_any():
    assert repeated(STOPPED_AFTER_GOOD - 1, failed=False)
    with pytest.raises(GoesInCircles, match="the same came of it"):
        repeated(STOPPED_AFTER_GOOD, failed=False)
    assert not any(ask.messages for ask in repeated(50, failed=False, text="line {}"))


def test_decisions_change_nothing_they_were_given():
    seen = [answer(Part(tool_call=ToolCall(id="a", name="x")))]
    before = [observation.SerializeToString(deterministic=True) for observation in seen]
    assert decide(START, seen) == decide(START, seen)
    assert [observation.SerializeToString(deterministic=True) for observation in seen] == before


def test_the_last_sentence_names_the_limit_and_the_key_to_change():
    said = conclusion(Memory("default", limit=3), "agents.helper", truncated=True)
    assert "limit of 3 iterations" in said
    assert "agents.helper.reasoning.max_iterations" in said


def test_a_run_that_ended_by_itself_has_no_last_sentence():
    assert conclusion(START, "agents.helper", truncated=False) == ""


def test_a_limit_that_is_not_ours_is_named_as_one():
    assert "by a limit" in conclusion(Memory("default"), "", truncated=True)


def test_state_does_not_grow_with_the_run():
    memory = START
    for _ in range(1000):
        memory, _ = decide(memory, [])
    assert len(written(memory).data) < 256


def test_state_comes_back_as_it_was():
    memory = Memory("default", limit=100, asked=7)
    assert read(written(memory)) == memory


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'{"strategy": "default"}',
        b'{"strategy": 1, "limit": 0, "asked": 0}',
        b'{"strategy": "default", "limit": 0, "asked": 0, "more": 1}',
    ],
)
def test_bytes_that_are_not_ours_are_unreadable(data):
    state = written(START)
    state.data = data
    with pytest.raises(StateUnreadable):
        read(state)


def test_another_version_is_unreadable():
    state = written(START)
    state.version = VERSION + 1
    with pytest.raises(StateUnreadable, match=f"version is {VERSION + 1}"):
        read(state)
