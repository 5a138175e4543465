"""What a plugin is told: typed, checked, and with its secrets kept."""

import asyncio
import dataclasses
import json
from typing import Annotated

import pytest

from hector.plugin.v1 import (
    ConfigureRequest,
    Diagnostic,
    GetInfoRequest,
    Instance,
    PluginStub,
    ValidateConfigRequest,
)
from hector.tool.v1 import ExecuteToolRequest, ToolProviderStub
from hector_plugin import Config, ConfigRefused, Secret, config, tool
from hector_plugin.testing import Refused, running


@dataclasses.dataclass
class Settings:
    api_key: Secret
    retries: Annotated[int, {"minimum": 0}] = 3

    def __post_init__(self) -> None:
        if self.api_key == "expired":
            raise ConfigRefused("the key has expired", "/api_key", "make another one")


settings: Config[Settings] = Config(Settings)


@tool
def told() -> str:
    """Says what it was told."""
    return f"{settings.value!r} {settings.entry()}"


async def test_a_configuration_arrives_typed_and_its_secrets_do_not_show() -> None:
    async with running(told, settings=settings, config={"api_key": "hunter2"}) as plugin:
        info = await PluginStub(plugin.channel).GetInfo(GetInfoRequest())
        said = (await plugin.call("told")).result
        assert settings.value.api_key == "hunter2"
    assert said.startswith("Settings(api_key=Secret('…'), retries=3)")
    assert json.loads(info.config_schema_json) == {
        "type": "object",
        "properties": {
            "api_key": {"type": "string", "writeOnly": True},
            "retries": {"type": "integer", "minimum": 0, "default": 3},
        },
        "required": ["api_key"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    ("config", "paths"),
    [
        ("{", [""]),
        ("[]", [""]),
        ("{}", ["/api_key"]),
        ('{"api_key": 5, "retries": -1, "other": 1}', ["/api_key", "/retries", "/other"]),
        ('{"api_key": "expired"}', ["/api_key"]),
    ],
)
async def test_everything_wrong_is_said_with_its_place_and_changes_nothing(
    config: str, paths: list[str]
) -> None:
    async with running(told, settings=settings, config={"api_key": "good"}) as plugin:
        stub = PluginStub(plugin.channel)
        validated = await stub.ValidateConfig(ValidateConfigRequest(config_json=config))
        configured = await stub.Configure(ConfigureRequest(config_json=config))
        assert [one.path for one in validated.diagnostics] == paths
        assert [one.path for one in configured.diagnostics] == paths
        assert all(one.severity == Diagnostic.SEVERITY_ERROR for one in configured.diagnostics)
        assert settings.value.api_key == "good"


async def test_each_call_knows_the_entry_that_it_is_for() -> None:
    async with running(told, settings=settings, config={"api_key": "k"}) as plugin:
        await plugin.configure({"api_key": "k"}, {"tools.shout": {"loud": True}, "tools.other": {}})
        request = ExecuteToolRequest(tool="told")
        done = await plugin.stub(ToolProviderStub, "tools.shout").ExecuteTool(request)
    assert done.result.endswith("Entry(name='tools.shout', config={'loud': True})")


async def test_an_entrys_settings_must_be_an_object() -> None:
    async with running(told, settings=settings, config={"api_key": "k"}) as plugin:
        request = ConfigureRequest(
            config_json='{"api_key": "k"}', instances=[Instance(name="tools.x", config_json="3")]
        )
        response = await PluginStub(plugin.channel).Configure(request)
    assert [one.summary for one in response.diagnostics] == ["the settings of tools.x are no JSON object"]


async def test_what_opening_refuses_does_not_hold() -> None:
    opened: list[str] = []

    async def connect(value: Settings) -> None:
        await asyncio.sleep(0)
        opened.append(value.api_key)
        if value.api_key == "bad":
            raise ConfigRefused("nobody answers there", "/api_key")

    careful = Config(Settings, opened=connect)
    async with running(told, settings=careful, config={"api_key": "good"}) as plugin:
        with pytest.raises(Refused, match="/api_key: nobody answers there"):
            await plugin.configure({"api_key": "bad"})
        assert careful.value.api_key == "good"
    assert opened == ["good", "bad"]


async def test_a_schema_does_instead_of_a_class() -> None:
    schema = {"type": "object", "properties": {"city": {"enum": ["Rome", "Oslo"]}}}
    config: Config[dict[str, str]] = Config(schema)
    async with running(told, settings=config, config={"city": "Rome"}) as plugin:
        with pytest.raises(Refused, match="/city: allowed: 'Rome', 'Oslo'"):
            await plugin.configure({"city": "Paris"})
    assert config.value == {"city": "Rome"}


async def test_a_few_settings_need_no_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hector_plugin._config.configs", [])  # a plugin has one
    few = config(suffix="!", times=2, share=0.5, loud=False)

    @tool
    def said() -> str:
        """Says what it was told."""
        return repr(few.value)

    assert few.schema == {
        "type": "object",
        "properties": {
            "suffix": {"type": "string", "default": "!"},
            "times": {"type": "integer", "default": 2},
            "share": {"type": "number", "default": 0.5},
            "loud": {"type": "boolean", "default": False},
        },
        "additionalProperties": False,
    }
    async with running(said, settings=few, config={"times": 3, "loud": True}) as plugin:
        result = (await plugin.call("said")).result
    assert result == "Settings(suffix='!', times=3, share=0.5, loud=True)"
    assert [one.path for one in few.check('{"times": "3", "other": 1}')] == ["/times", "/other"]


@pytest.mark.parametrize(
    ("settings", "defaults", "message"),
    [
        (Settings, {"suffix": ""}, "found both, and suffix=''"),
        (None, {"keys": []}, r"found keys=\[\]; give it a dataclass"),
        (None, {"key": Secret}, "found key=<class .*Secret'>; give it a dataclass"),
    ],
)
def test_what_is_more_than_a_few_settings_needs_a_class(settings, defaults, message) -> None:
    with pytest.raises(TypeError, match=message):
        config(*([settings] if settings else []), **defaults)
