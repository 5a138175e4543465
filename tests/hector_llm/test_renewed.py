"""Models that come and go with the config while runs ask them."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

from hector.llm.v1 import GenerateTextRequest, GenerateTextResponse, LLMProviderServicer
from hector_llm.config import LLMConfig, LLMSection
from hector_llm.models import Models
from hector_llm.router import LLMRouter
from hector_mesh import Call, Renewal, scope


class Model(LLMProviderServicer):
    """Answers with its name, and notes that it was closed."""

    def __init__(self, name: str, entry: LLMConfig) -> None:
        self.text = f"{name} {entry.model}"
        self.is_open, self.closed = False, asyncio.Event()

    async def __aenter__(self) -> "Model":
        assert not self.is_open
        self.is_open = True
        return self

    async def __aexit__(self, *_: object) -> None:
        self.is_open = False
        self.closed.set()

    async def GenerateText(self, request: GenerateTextRequest, context: Any) -> GenerateTextResponse:
        assert self.is_open
        return GenerateTextResponse(text=self.text)


def section(**models: str) -> LLMSection:
    return LLMSection(llms={name: LLMConfig(provider="local", model=model) for name, model in models.items()})


@asynccontextmanager
async def models_of(config: LLMSection):
    made: list[Model] = []

    def make(name: str, entry: LLMConfig) -> Model:
        made.append(Model(name, entry))
        return made[-1]

    models = Models(config, make)
    async with models.running():
        yield models, made
    assert not any(one.is_open for one in made)


async def ask(models: Models, name: str, revision: str) -> str:
    with scope(Call(instance=f"llms.{name}", revision=revision)):
        answer = await LLMRouter(models.generations).GenerateText(GenerateTextRequest(), None)  # type: ignore[arg-type]
    return answer.text


async def test_a_run_asks_the_model_that_it_began_with_and_a_new_one_the_new():
    async with models_of(section(fast="one", gone="x")) as (models, _):
        renewal = Renewal(section(fast="two", new="y"), "r2", "r1", 3600)
        (await models.prepare(renewal)).commit()
        assert await ask(models, "fast", "r1") == "fast one"
        assert await ask(models, "gone", "r1") == "gone x"
        assert await ask(models, "fast", "r2") == "fast two"
        assert await ask(models, "new", "r2") == "new y"


async def test_an_entry_that_is_the_same_stays_open_and_is_not_made_again():
    async with models_of(section(fast="one", slow="two")) as (models, made):
        (await models.prepare(Renewal(section(fast="one", slow="three"), "r2", "r1", 0))).commit()
        assert [one.text for one in made] == ["fast one", "slow two", "slow three"]
        async with asyncio.timeout(5):
            await made[1].closed.wait()
        assert made[0].is_open
        assert made[2].is_open


async def test_a_model_that_runs_may_still_ask_is_not_closed():
    async with models_of(section(fast="one")) as (models, made):
        (await models.prepare(Renewal(section(fast="two"), "r2", "r1", 3600))).commit()
        assert made[0].is_open
        assert await ask(models, "fast", "r1") == "fast one"


async def test_a_config_that_is_refused_elsewhere_leaves_the_models_as_they_are():
    async with models_of(section(fast="one")) as (models, made):
        await models.prepare(Renewal(section(fast="two"), "r2", "r1", 3600))
        assert await ask(models, "fast", "r2") == "fast one"
        (await models.prepare(Renewal(section(fast="three"), "r3", "r1", 3600))).commit()
        async with asyncio.timeout(5):
            await made[1].closed.wait()
        assert await ask(models, "fast", "r3") == "fast three"


async def test_models_of_configs_that_are_refused_again_and_again_do_not_pile_up():
    async with models_of(section(fast="one")) as (models, made):
        for number in range(5):
            await models.prepare(Renewal(section(fast=f"refused {number}"), "r2", "r1", 3600))
        async with asyncio.timeout(5):
            for refused in made[1:5]:
                await refused.closed.wait()
        assert await ask(models, "fast", "r1") == "fast one"
