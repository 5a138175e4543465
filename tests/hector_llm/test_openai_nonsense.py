"""Whatever a server sends where something else should be: an answer, or an error of ours, never a crash."""

import json
import random
from contextlib import suppress

import pytest
from support.model_server import USAGE, call_chunks, chunk, completion, text_chunks
from support.nonsense import NONSENSE, places, spoiled

from hector.llm.v1 import ListModelsRequest
from hector_llm.openai.answers import NotAnAnswerError, ProviderError, whole_answer
from hector_llm.openai.failures import said_in
from hector_llm.openai.listing import models_in
from hector_llm.openai.streams import StreamReader

CALL = {"id": "a", "type": "function", "function": {"name": "look", "arguments": "{}"}}


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
def test_a_stream_with_nonsense_in_it_is_read_or_refused(nonsense: object) -> None:
    whole = [
        *text_chunks("hello you"),
        *call_chunks(("a", "look", "{}")),
        chunk({"reasoning": "hm"}),
        chunk(usage=USAGE),
    ]
    for number, good in enumerate(whole):
        for path in places(good):
            reader = StreamReader()
            try:
                for each in (*whole[:number], spoiled(good, path, nonsense), *whole[number + 1 :]):
                    reader.take([json.dumps(each).encode()])
                    reader.piece()
                reader.last()
            except (NotAnAnswerError, ProviderError):
                pass


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
def test_an_answer_with_nonsense_in_it_is_read_or_refused(nonsense: object) -> None:
    good = completion({"content": "hi", "tool_calls": [CALL], "reasoning": "hm"})
    models = {"object": "list", "data": [{"id": "m", "name": "M", "meta": {"n_ctx": 1}}]}
    for path in places(good):
        with suppress(NotAnAnswerError, ProviderError):
            whole_answer(json.dumps(spoiled(good, path, nonsense)).encode())
    for path in places(models):
        with suppress(NotAnAnswerError):
            models_in(json.dumps(spoiled(models, path, nonsense)).encode(), ListModelsRequest())


@pytest.mark.parametrize("nonsense", NONSENSE, ids=repr)
def test_an_error_with_nonsense_in_it_is_still_an_error(nonsense: object) -> None:
    good = {"error": {"message": "no", "code": "x", "type": "y"}}
    for path in places(good):
        assert isinstance(said_in(json.dumps(spoiled(good, path, nonsense)).encode()).message, str)
    assert isinstance(said_in(json.dumps(nonsense).encode()).message, str)


def test_bytes_at_random_are_refused() -> None:
    chance = random.Random(7)
    for _ in range(500):
        data = chance.randbytes(chance.randrange(40))
        with pytest.raises(NotAnAnswerError):
            StreamReader().take([data])
        with pytest.raises(NotAnAnswerError):
            whole_answer(data)
