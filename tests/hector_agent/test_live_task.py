"""The task of a run while it grows: what its log says, in room that does not depend on how it grew."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hector_a2a as a2a
from hector.agent.v1 import ArtifactSaved, RunEvent, StatusChanged, TextAppended
from hector_agent.live_task import LiveTask
from hector_agent.packing import packed
from hector_agent.rows import kinds_of
from hector_agent.view import fold, new_task

names, words, flags = st.sampled_from("ab"), st.sampled_from(["", "x", "yz "]), st.booleans()


def saved(name, word, append):
    artifact = a2a.Artifact(artifact_id=name, parts=[a2a.Part(text=word, media_type="text/html")])
    return RunEvent(artifact_saved=ArtifactSaved(artifact=packed(artifact), append=append))


events = st.one_of(
    st.builds(
        lambda name, text, append: RunEvent(
            text_appended=TextAppended(artifact_id=name, text=text, append=append)
        ),
        names,
        words,
        flags,
    ),
    st.builds(saved, names, words, flags),
    st.just(RunEvent(status_changed=StatusChanged(state=2))),
)


def one_by_one(story):
    task = new_task("run", "context")
    for event in story:
        fold(task, [event])
    return task


@settings(deadline=None)
@given(st.lists(st.tuples(events, flags), max_size=30))
def test_it_is_what_the_log_says_whoever_looks_and_when(steps):
    live = LiveTask(new_task("run", "context"))
    story = [event for event, _ in steps]
    for number, (event, looks) in enumerate(steps, 1):
        live.take([event], kinds_of([event]))
        if looks:
            assert live.whole == one_by_one(story[:number])
    assert live.whole == one_by_one(story) == fold(new_task("run", "context"), story)


GROWS = """
import resource
import hector_a2a as a2a
from hector.agent.v1 import ArtifactSaved, RunEvent, TextAppended
from hector_agent.live_task import LiveTask
from hector_agent.packing import packed
from hector_agent.view import fold, new_task

PIECE = "x" * 10_000
text = [RunEvent(text_appended=TextAppended(artifact_id="a", text=PIECE, append=at > 0)) for at in range(800)]
page = a2a.Artifact(artifact_id="page", parts=[a2a.Part(text=PIECE * 100)])
pages = [RunEvent(artifact_saved=ArtifactSaved(artifact=packed(page)))] * 200
TEXT, SAVED = ["text_appended"], ["artifact_saved"]
live = LiveTask(new_task("run", "context"))
{body}
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)
"""
GROWTHS = {
    "whole": "fold(new_task('run', 'context'), text)",
    "piece by piece": "for one in text: live.take([one], TEXT)\nlen(live.whole.artifacts[0].parts[0].text)",
    "looked at often": "for at, e in enumerate(text):\n    live.take([e], TEXT)\n    at % 8 or live.whole",
    "replaced often": "for event in pages:\n    live.take([event], SAVED)\n    live.whole",
}


@pytest.mark.parametrize("body", GROWTHS.values(), ids=GROWTHS)
def test_an_answer_of_many_pieces_takes_a_few_times_its_size(body):
    """800 pieces make 8 MB; if each left behind what was there before, it would be 3.2 GB."""
    grown, bare = (
        int(subprocess.run([sys.executable, "-c", GROWS.format(body=one)], capture_output=True, text=True,
                           timeout=60, check=True).stdout)
        for one in (body, "")
    )  # fmt: skip
    assert grown - bare < 120, f"{grown - bare} MiB more than {bare} MiB"
