"""What is sent: conversations, tools and options as chat completions want them."""

import base64
import json

import grpc
import pytest
from contracts.llm_provider import SEARCH, user
from support.model_server import calls, refuses, says

from hector.common.v1 import (
    ROLE_ASSISTANT,
    ROLE_SYSTEM,
    ROLE_TOOL,
    ROLE_USER,
    Blob,
    Message,
    Part,
    Reasoning,
    Tool,
    ToolCall,
    ToolResult,
)
from hector.llm.v1 import GenerateTextRequest, GenerationOptions, StreamTextRequest, ToolChoice
from hector_llm import LLMConfig, ThinkingConfig
from hector_llm.config import LLMSection
from hector_llm.openai.asking import body_of
from hector_llm.openai.dialect import Dialect
from hector_mesh import info_of


def sent(request: GenerateTextRequest, dialect: Dialect | None = None, **config) -> dict:
    model = LLMConfig(model="m", **config)
    return json.loads(body_of(request, model, dialect or Dialect(), stream=False))


def told(*messages: Message, **config) -> list[dict]:
    return sent(GenerateTextRequest(messages=messages), **config)["messages"]


def test_a_conversation_with_tools_becomes_the_wires_own_shape() -> None:
    call = ToolCall(id="c1", name="look", arguments_json='{"at": 1}')
    result = ToolResult(tool_call_id="c1", name="look", parts=[Part(text="seen"), Part(data_json='{"x": 1}')])
    assert told(
        Message(role=ROLE_SYSTEM, parts=[Part(text="Be brief.")]),
        user("Look!"),
        Message(role=ROLE_ASSISTANT, parts=[Part(text="Wait. "), Part(tool_call=call)]),
        Message(role=ROLE_TOOL, parts=[Part(tool_result=result)]),
        Message(role=ROLE_ASSISTANT, parts=[Part(reasoning=Reasoning(text="hm")), Part(text="Done.")]),
    ) == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look!"},
        {
            "role": "assistant",
            "content": "Wait. ",
            "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "look", "arguments": '{"at": 1}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "c1", "content": 'seen\n{"x": 1}'},
        {"role": "assistant", "content": "Done."},
    ]


def test_results_of_one_turn_are_messages_of_their_own() -> None:
    results = [Part(tool_result=ToolResult(tool_call_id=id_, parts=[Part(text=id_)])) for id_ in ("a", "b")]
    assert [message["content"] for message in told(Message(role=ROLE_TOOL, parts=results))] == ["a", "b"]


def test_a_failed_tool_says_so_to_the_model() -> None:
    result = ToolResult(tool_call_id="a", parts=[Part(text="no such file")], error=True)
    assert (
        told(Message(role=ROLE_TOOL, parts=[Part(tool_result=result)]))[0]["content"] == "Error: no such file"
    )


@pytest.mark.parametrize(("limit", "content"), [(0, "0123456789"), (4, "0123\n[6 more characters left out]")])
def test_results_are_cut_at_the_configured_length_and_zero_is_none(limit: int, content: str) -> None:
    result = ToolResult(tool_call_id="a", parts=[Part(text="0123456789")])
    message = Message(role=ROLE_TOOL, parts=[Part(tool_result=result)])
    assert told(message, max_tool_output_length=limit)[0]["content"] == content


@pytest.mark.parametrize("broken", ['{"at": ', "", "look at it"])
def test_arguments_a_model_got_wrong_go_back_as_json(broken: str) -> None:
    """Servers that parse them answer 500 otherwise."""
    call = ToolCall(id="c1", name="look", arguments_json=broken)
    (message,) = told(Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=call)]))
    assert isinstance(json.loads(message["tool_calls"][0]["function"]["arguments"]), dict)
    assert message["content"] is None


def test_pictures_go_by_address_or_as_bytes() -> None:
    by_url = Blob(media_type="image/png", uri="https://example.com/a.png")
    by_bytes = Blob(media_type="image/png", data=b"\x89PNG")
    message = Message(role=ROLE_USER, parts=[Part(text="See:"), Part(blob=by_url), Part(blob=by_bytes)])
    (wire,) = told(message)
    encoded = base64.b64encode(b"\x89PNG").decode()
    assert wire["content"] == [
        {"type": "text", "text": "See:"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{encoded}"}},
    ]


def test_a_picture_from_a_tool_follows_its_result() -> None:
    shown = Part(blob=Blob(media_type="image/png", data=b"x"))
    result = ToolResult(tool_call_id="a", parts=[Part(text="Here."), shown])
    first, second = told(Message(role=ROLE_TOOL, parts=[Part(tool_result=result)]))
    assert first == {"role": "tool", "tool_call_id": "a", "content": "Here.\n[image/png, shown below]"}
    assert second["role"] == "user"
    assert second["content"][1]["type"] == "image_url"


@pytest.mark.parametrize(
    ("blob", "kind"),
    [
        (Blob(media_type="audio/wav", data=b"x"), "input_audio"),
        (Blob(media_type="application/pdf", data=b"x", name="a.pdf"), "file"),
    ],
)
def test_sounds_and_files_go_as_bytes(blob: Blob, kind: str) -> None:
    (wire,) = told(Message(role=ROLE_USER, parts=[Part(text="See:"), Part(blob=blob)]))
    assert wire["content"][1]["type"] == kind


def test_text_files_are_text() -> None:
    blob = Blob(media_type="text/markdown; charset=utf-8", data=b"# Hi", name="a.md")
    (wire,) = told(Message(role=ROLE_USER, parts=[Part(text="See:"), Part(blob=blob)]))
    assert wire["content"] == "See:\na.md:\n# Hi"


def test_options_of_the_request_win_and_what_is_unset_is_the_configs() -> None:
    body = sent(
        GenerateTextRequest(prompt="x"), temperature=0.3, top_p=0.5, stop=["END"], seed=4, max_tokens=9
    )
    assert (body["temperature"], body["top_p"], body["stop"], body["seed"]) == (0.3, 0.5, ["END"], 4)
    assert body["max_tokens"] == 9
    options = GenerationOptions(temperature=0, top_p=1, stop=["X"], seed=0, max_tokens=3)
    body = sent(
        GenerateTextRequest(prompt="x", options=options), temperature=0.3, top_p=0.5, stop=["END"], seed=4
    )
    assert (body["temperature"], body["top_p"], body["stop"], body["seed"]) == (0, 1, ["X"], 0)
    assert body["max_tokens"] == 3


def test_the_default_of_max_tokens_is_4096_of_text_with_the_thoughts_on_top() -> None:
    assert sent(GenerateTextRequest(prompt="x"))["max_tokens"] == 4096
    thinking = ThinkingConfig(budget_tokens=2000)
    body = sent(GenerateTextRequest(prompt="x"), thinking=thinking)
    assert body["max_tokens"] == 6096
    assert body["reasoning_effort"] == "medium"
    off = GenerationOptions(thinking_budget_tokens=0)
    assert "reasoning_effort" not in sent(GenerateTextRequest(prompt="x", options=off), thinking=thinking)


def test_tools_and_choices_are_expressed() -> None:
    def body(**choice) -> dict:
        options = GenerationOptions(tool_choice=ToolChoice(**choice))
        tools = [SEARCH, Tool(name="look", description="Looks.")]
        return sent(GenerateTextRequest(prompt="x", tools=tools, options=options))

    plain = body()
    assert plain["tools"][0]["function"]["parameters"]["required"] == ["query"]
    assert plain["tools"][1]["function"]["parameters"] == {"type": "object", "properties": {}}
    assert "tool_choice" not in plain
    assert body(mode=ToolChoice.MODE_NONE)["tool_choice"] == "none"
    assert body(mode=ToolChoice.MODE_REQUIRED)["tool_choice"] == "required"
    named = body(mode=ToolChoice.MODE_NAMED, names=["look"])
    assert named["tool_choice"] == {"type": "function", "function": {"name": "look"}}
    assert body(disable_parallel=True)["parallel_tool_calls"] is False


@pytest.mark.parametrize(("closed", "strict"), [(True, True), (False, False)])
def test_a_schema_is_strict_only_where_the_vendor_takes_it(closed: bool, strict: bool) -> None:
    schema = {
        "title": "My Answer!",
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
    }
    if closed:
        schema["additionalProperties"] = False
    options = GenerationOptions(response_schema_json=json.dumps(schema))
    wanted = sent(GenerateTextRequest(prompt="x", options=options))["response_format"]
    assert wanted["type"] == "json_schema"
    assert wanted["json_schema"] == {"name": "My_Answer_", "schema": schema, "strict": strict}


def test_provider_options_are_merged_into_the_request() -> None:
    options = GenerationOptions(provider_options_json='{"top_k": 5, "temperature": 1}')
    body = sent(GenerateTextRequest(prompt="x", options=options))
    assert (body["top_k"], body["temperature"]) == (5, 1)


async def test_a_part_without_a_place_is_refused_before_anything_is_sent(serve_scripted) -> None:
    server, llm = await serve_scripted(says("never"))
    film = Message(role=ROLE_USER, parts=[Part(blob=Blob(media_type="video/mp4", data=b"x"))])
    with pytest.raises(grpc.aio.AioRpcError, match="video/mp4") as failed:
        await llm.GenerateText(GenerateTextRequest(messages=[film]), timeout=10)
    assert info_of(failed.value).reason == "MODEL_REFUSED"
    assert not server.received


async def test_key_and_headers_are_sent_and_the_model_of_the_request_wins(serve_scripted) -> None:
    server, llm = await serve_scripted(says("hi"), api_key="sesame", headers={"X-Team": "red"})
    await llm.GenerateText(GenerateTextRequest(prompt="x", model="other"), timeout=10)
    received = server.received[0]
    assert received.path == "/v1/chat/completions"
    assert received.headers["authorization"] == "Bearer sesame"
    assert received.headers["x-team"] == "red"
    assert received.headers["content-type"] == "application/json"
    assert received.json["model"] == "other"


async def test_the_environments_key_is_sent_to_its_vendor_only(serve_models, serve_scripted) -> None:
    """Ours: a base_url of somebody else gets no key that was not written for it."""
    server, llm = await serve_scripted(says("hi"))
    await llm.GenerateText(GenerateTextRequest(prompt="x"), timeout=10)
    assert "authorization" not in server.received[0].headers


async def test_a_query_of_the_base_url_stays_behind_every_path(serve_models, serve_scripted) -> None:
    server, _ = await serve_scripted(says("hi"))
    llm = await serve_models(
        gateway=LLMConfig(base_url=f"{server.url}/deployments/d?api-version=7", model="m")
    )
    await llm.GenerateText(GenerateTextRequest(prompt="x"), timeout=10)
    assert server.received[0].path == "/deployments/d/chat/completions?api-version=7"


@pytest.mark.parametrize(
    ("message", "config", "gone", "there"),
    [
        ("Unknown parameter: 'stream_options'.", {}, "stream_options", ""),
        ("extra fields not permitted: stream_options.include_usage", {}, "stream_options", ""),
        (
            "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
            {},
            "max_tokens",
            "max_completion_tokens",
        ),
        ("'temperature' does not support 0.7 with this model.", {}, "temperature", ""),
    ],
)
async def test_what_a_server_refuses_to_hear_is_left_out_from_then_on(
    serve_scripted, message: str, config: dict, gone: str, there: str
) -> None:
    server, llm = await serve_scripted(refuses(400, message), says("hi"), **config)
    for _ in range(2):
        async for _ in llm.StreamText(StreamTextRequest(prompt="x"), timeout=10):
            pass
    first, second, third = [received.json for received in server.received]
    assert gone in first
    assert gone not in second
    assert gone not in third
    assert not there or there in third


async def test_a_temperature_that_was_written_down_is_not_left_out(serve_scripted) -> None:
    server, llm = await serve_scripted(refuses(400, "'temperature' does not support 0.7"), temperature=0.7)
    with pytest.raises(grpc.aio.AioRpcError, match="temperature") as failed:
        await llm.GenerateText(GenerateTextRequest(prompt="x"), timeout=10)
    assert info_of(failed.value).reason == "MODEL_REFUSED"
    assert all("temperature" in received.json for received in server.received)


async def test_a_turn_of_tool_calls_must_call(serve_scripted) -> None:
    from hector.llm.v1 import CallToolRequest

    server, llm = await serve_scripted(calls(("c1", "search", "{}")), says("no"))
    request = CallToolRequest(prompt="x", tools=[SEARCH])
    assert (await llm.CallTool(request, timeout=10)).tool_calls[0].name == "search"
    assert server.received[0].json["tool_choice"] == "required"
    with pytest.raises(grpc.aio.AioRpcError, match="without calling a tool"):
        await llm.CallTool(request, timeout=10)


def test_the_section_takes_the_whole_of_its_keys() -> None:
    LLMSection.model_validate({"llms": {"a": {"model": "m", "timeout": "30s", "retry_delay": "500ms"}}})
