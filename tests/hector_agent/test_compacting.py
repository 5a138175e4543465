"""Ours: a run whose events were made fewer is the same run to everybody who looks at it."""

import json
from itertools import pairwise

from google.protobuf.any_pb2 import Any
from hypothesis import given, settings
from hypothesis import strategies as st

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    RUN_STATE_INPUT_REQUIRED,
    RUN_STATE_WORKING,
    ArtifactSaved,
    MessageReceived,
    ModelAnswered,
    OwnerChanged,
    RunEvent,
    StateChanged,
    StatusChanged,
    TextAppended,
    TokensSpent,
    ToolFinished,
    ToolStarted,
    TurnParked,
)
from hector.common.v1 import ROLE_ASSISTANT, Message, Part, TokenUsage
from hector_agent.compacting import MOST_BYTES, compacted
from hector_agent.conversation import messages_of
from hector_agent.rows import event_of, row_of
from hector_agent.state import state_of_session
from hector_agent.usage import summed
from hector_agent.view import fold, listed, new_task
from hector_store import EventRow


def packed(message):
    found = Any()
    found.Pack(message)
    return found


def said(text, role=a2a.ROLE_USER):
    return packed(a2a.Message(message_id=text, role=role, parts=[a2a.Part(text=text)]))


def received(text):
    return RunEvent(message_received=MessageReceived(message=said(text), idempotency_key=text))


def status(state, text="", **metadata):
    changed = StatusChanged(state=state)
    if text:
        changed.message.CopyFrom(said(text, a2a.ROLE_AGENT))
    if metadata:
        changed.metadata.update(metadata)
    return RunEvent(status_changed=changed)


def text(piece, artifact="answer-1", *, append=True, last=False):
    return RunEvent(text_appended=TextAppended(artifact_id=artifact, text=piece, append=append, last=last))


def artifact(piece, name="file", *, append=True, last=False):
    made = a2a.Artifact(artifact_id=name, parts=[a2a.Part(text=piece)])
    return RunEvent(artifact_saved=ArtifactSaved(artifact=packed(made), append=append, last=last))


pieces = st.text("abc\n", max_size=4)
artifacts = st.sampled_from(["answer-1", "answer-2"])
flags = st.booleans()
events = st.one_of(
    st.builds(lambda piece, name, append, last: text(piece, name, append=append, last=last),
              pieces, artifacts, flags, flags),
    st.builds(lambda piece: text(piece), pieces),
    st.builds(lambda piece, append, last: artifact(piece, append=append, last=last), pieces, flags, flags),
    st.builds(lambda piece: status(RUN_STATE_WORKING, piece), pieces),
    st.builds(lambda piece: status(RUN_STATE_WORKING, said=piece), pieces),
    st.builds(lambda piece: status(RUN_STATE_INPUT_REQUIRED, piece), pieces),
    st.builds(received, pieces),
    st.builds(lambda key, value: RunEvent(state_changed=StateChanged(delta_json=json.dumps({key: value}))),
              st.sampled_from("kl"), st.none() | st.integers(0, 3)),
    st.just(RunEvent(owner_changed=OwnerChanged(worker="w", epoch=2))),
    st.just(RunEvent(tokens_spent=TokensSpent(usage=TokenUsage(prompt_tokens=3)))),
    st.just(RunEvent(tool_started=ToolStarted(effect_id="e"))),
    st.just(RunEvent(tool_finished=ToolFinished(call_id="c", tool="t"))),
    st.builds(lambda calls: RunEvent(turn_parked=TurnParked(
        calls=calls, iteration=3, decision=packed(a2a.Message(message_id="long " * 9)))),
        st.sampled_from([(), ("c",)])),
    st.builds(lambda name: RunEvent(model_answered=ModelAnswered(
        message=Message(role=ROLE_ASSISTANT, parts=[Part(text="hm")]), artifact_id=name,
        usage=TokenUsage(completion_tokens=2))), artifacts),
)  # fmt: skip
stories = st.lists(events, max_size=14).map(
    lambda middle: [received("hello"), status(RUN_STATE_WORKING), *middle, status(RUN_STATE_COMPLETED, "end")]
)


def rows_of(story):
    return [
        EventRow("app", "run", seq, new.kind, new.needs, 1000 * seq, new.payload)
        for seq, new in enumerate(map(row_of, story), 1)
    ]


def after_compaction(rows):
    folds = {one.seq: one for one in compacted(rows)}
    gone = {seq for one in folds.values() for seq in one.instead_of}
    kept = []
    for row in rows:
        if row.seq in folds:
            row = EventRow(
                row.app, row.run_id, row.seq, row.kind, row.needs, row.time_us, folds[row.seq].payload
            )
        if row.seq not in gone:
            kept.append(row)
    return kept


def views(rows):
    found = [event_of(row) for row in rows]
    task = fold(new_task("run", "context"), found)
    return (task, listed(task), messages_of(found), state_of_session(found), summed(found))


@settings(max_examples=400, deadline=None)
@given(stories)
def test_no_view_of_a_run_changes(story):
    before = rows_of(story)
    after = after_compaction(before)
    assert views(after) == views(before)
    assert views(after_compaction(after)) == views(before)
    assert len(after) <= len(before)


@settings(max_examples=400, deadline=None)
@given(stories)
def test_what_is_kept_covers_the_log_without_a_gap(story):
    after = [event_of(row) for row in after_compaction(rows_of(story))]
    assert [event.seq for event in after[:2]] == [1, 2]
    assert not after[0].since
    assert not after[1].since
    for one, following in pairwise(after):
        assert (following.since or following.seq) == one.seq + 1
    assert after[-1].seq == len(story)


@settings(max_examples=200, deadline=None)
@given(stories, st.data())
def test_a_reader_that_stands_where_it_may_sees_the_task_become_the_same(story, data):
    before = rows_of(story)
    after = [event_of(row) for row in after_compaction(before)]
    place = data.draw(st.sampled_from([0, *(event.seq for event in after)]))
    task = fold(new_task("run", "context"), [event_of(row) for row in before[:place]])
    fold(task, [event for event in after if event.seq > place])
    assert task == views(before)[0]


def test_many_pieces_of_an_answer_become_one():
    story = [received("hello"), status(RUN_STATE_WORKING), text("0", append=False)]
    story += [text(f" {number}") for number in range(1, 100)]
    story += [text(".", last=True), status(RUN_STATE_COMPLETED)]
    after = [event_of(row) for row in after_compaction(rows_of(story))]
    assert [event.seq for event in after] == [1, 2, 103, 104]
    whole = after[2]
    assert whole.since == 3
    assert whole.text_appended.text == " ".join(map(str, range(100))) + "."
    assert (whole.text_appended.append, whole.text_appended.last) == (False, True)


def test_no_event_grows_beyond_what_readers_take_at_once():
    piece = "x" * 20_000
    story = [received("hello"), status(RUN_STATE_WORKING), *[text(piece) for _ in range(40)]]
    after = after_compaction(rows_of([*story, status(RUN_STATE_COMPLETED)]))
    assert 4 < len(after) < 10
    assert max(len(row.payload) for row in after) <= MOST_BYTES


def test_events_of_a_newer_version_stay_and_part_what_is_beside_them():
    rows = rows_of([received("hello"), status(RUN_STATE_WORKING), text("a"), text("b"), text("c")])
    rows[3] = EventRow("app", "run", 4, "unheard_of", 0, 4000, b"\xff\xff")
    assert after_compaction(rows) == rows
