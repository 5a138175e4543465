"""Messages that refer to earlier tasks: a model reads those of the caller, and there are no others."""

from typing import Any

import pytest
from support.doors import Door, Place, Refused
from support.open_doors import opened
from support.scripted_agent import ScriptedModel

from hector_agent.references import ALL_CHARACTERS, MOST, SHOWN_CHARACTERS

AUTH = {"api_keys": [{"name": "ada", "key": "ada-key"}, {"name": "bob", "key": "bob-key"}]}
CODES = {"JSONRPC": -32001, "HTTP+JSON": 404, "GRPC": "NOT_FOUND"}


def told(model: ScriptedModel) -> list[str]:
    """Return what the model read last, message by message."""
    return ["".join(part.text for part in message.parts) for message in model.requests[-1].messages]


def doors_of(place: Place, caller: str) -> list[Door]:
    """Return the doors at which tasks can be referred to: the proto of 0.3 has no field for it."""
    doors = place.doors(token=f"{caller}-key")
    return [door for door in doors if door.version == "1.0" or door.binding == "JSONRPC"]


async def fresh(place: Place, **message: Any) -> Any:
    return await place.doors(token="ada-key")[0].send(**message)


async def test_a_model_reads_what_a_message_refers_to(mesh_under_test: Any, tmp_path: Any) -> None:
    """A2A 1.0, section 3.4: referenceTaskIds give additional context. Ours: question and answer of each task,
    before the message."""
    model = ScriptedModel("the capital is Paris", "it has cafes", *["fine"] * 6)
    others = {"scout": {"description": "Another agent."}}
    async with opened(mesh_under_test, tmp_path, model, server={"auth": AUTH}, others=others) as place:
        first = await fresh(place, text="France?")
        second = await place.doors("scout", "ada-key")[0].send("And what else?")
        for door in doors_of(place, "ada"):
            task = await door.send("Sum it up.", referenceTaskIds=[second["id"], first["id"], second["id"]])
            assert task["status"]["state"] == "TASK_STATE_COMPLETED"
            assert task["history"][0]["referenceTaskIds"] == [second["id"], first["id"], second["id"]]
            *_, one, two, asked = told(model)
            assert asked == "Sum it up."
            assert one == (
                f"An earlier task, {second['id']} (completed), that the next message refers to.\n\n"
                "It was asked:\nAnd what else?\n\nIt answered:\nit has cafes "
            )
            assert "France?" in two
            assert "the capital is Paris" in two


async def test_a_task_of_the_same_conversation_is_not_told_twice(mesh_under_test: Any, tmp_path: Any) -> None:
    model = ScriptedModel("one", "two")
    async with opened(mesh_under_test, tmp_path, model, server={"auth": AUTH}) as place:
        task = await fresh(place, text="first")
        await fresh(place, text="second", contextId=task["contextId"], referenceTaskIds=[task["id"]])
    assert told(model)[-3:] == ["first", "one ", "second"]


async def test_what_is_somebody_elses_cannot_be_referred_to(mesh_under_test: Any, tmp_path: Any) -> None:
    """Ours: it is not found, like a task that there is not; nothing is begun."""
    async with opened(mesh_under_test, tmp_path, ScriptedModel("hers"), server={"auth": AUTH}) as place:
        hers = (await fresh(place))["id"]
        for door in doors_of(place, "bob"):
            for task in (hers, "nothing"):
                with pytest.raises(Refused) as found:
                    await door.send(referenceTaskIds=[task])
                refused = found.value
                assert (refused.reason, refused.code) == ("TASK_NOT_FOUND", CODES[door.binding])
                assert refused.message.endswith(f"no task {task!r} is known here")
            with pytest.raises(Refused) as found:
                await door.send(referenceTaskIds=["x"] * (MOST + 1))
            assert found.value.reason == "INVALID_PARAMS"
        assert (await place.doors(token="bob-key")[0].list()).get("totalSize", 0) == 0


async def test_a_model_reads_so_much_of_it_and_no_more(mesh_under_test: Any, tmp_path: Any) -> None:
    long = "x" * (SHOWN_CHARACTERS + 10)
    count = ALL_CHARACTERS // SHOWN_CHARACTERS + 2
    model = ScriptedModel(*[long] * count, "fine")
    async with opened(mesh_under_test, tmp_path, model, server={"auth": AUTH}) as place:
        tasks = [(await fresh(place))["id"] for _ in range(count)]
        await fresh(place, text="Sum it up.", referenceTaskIds=tasks)
    *references, asked = [text for text in told(model) if "earlier task" in text or text == "Sum it up."]
    assert asked == "Sum it up."
    assert [len(text) for text in references] == [SHOWN_CHARACTERS] * (count - 2)
    assert all(text.endswith("[… cut here: the rest was too long]") for text in references)
