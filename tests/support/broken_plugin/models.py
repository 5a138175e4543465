"""A language model that says hello, or calls a tool."""

from grpc import StatusCode

from hector.common.v1 import ROLE_ASSISTANT, ROLE_SYSTEM, Message, Part, TokenUsage
from hector.llm.v1 import (
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    FINISH_REASON_UNSPECIFIED,
    GenerateTextResponse,
    ListModelsResponse,
    LLMProviderServicer,
    StreamTextResponse,
    ToolCallDelta,
    ToolChoice,
)
from hector.llm.v1 import Model as Known


class Model(LLMProviderServicer):
    def __init__(self, broken, refuse):
        self.broken, self.refuse = broken, refuse

    async def checked(self, request, context):
        if request.model not in ("", "hello"):
            await self.refuse(context, StatusCode.NOT_FOUND, "MODEL_NOT_FOUND", "no such model", self.broken)
        if "LM7" in self.broken and any(message.role == ROLE_SYSTEM for message in request.messages):
            await context.abort(StatusCode.INVALID_ARGUMENT, "no system messages")
        if not request.messages and ("LM8" in self.broken or not request.prompt):
            await context.abort(StatusCode.INVALID_ARGUMENT, "no messages")

    def usage(self):
        return TokenUsage(prompt_tokens=5, completion_tokens=2, total_tokens=3 if "LM5" in self.broken else 7)

    def reason(self):
        return FINISH_REASON_UNSPECIFIED if "LM6" in self.broken else FINISH_REASON_STOP

    async def ListModels(self, request, context):
        return ListModelsResponse(models=[Known(name="another" if "LM10" in self.broken else "hello")])

    async def GenerateText(self, request, context):
        await self.checked(request, context)
        text = "" if "LM3" in self.broken else "Hello there"
        said = "Something else" if "LM2" in self.broken else text
        message = Message(role=ROLE_ASSISTANT, parts=[Part(text=said)])
        return GenerateTextResponse(
            text=text, message=message, usage=self.usage(), finish_reason=self.reason(), model="hello"
        )

    async def StreamText(self, request, context):
        await self.checked(request, context)
        if request.options.tool_choice.mode == ToolChoice.MODE_REQUIRED:
            broken = "LM9" in self.broken
            for fragment in ('{"query": ', '"Mars"' if broken else '"Mars"}'):
                first = fragment.startswith("{")
                delta = ToolCallDelta(
                    id="c1" if first else "", name="search" if first else "", arguments_json_fragment=fragment
                )
                yield StreamTextResponse(tool_calls=[delta])
            reason = FINISH_REASON_TOOL_CALLS
        else:
            for word in ("Good ", "morning") if "LM4" in self.broken else ("Hello ", "there"):
                yield StreamTextResponse(text=word)
            reason = self.reason()
        end = StreamTextResponse(done=True, usage=self.usage(), finish_reason=reason, model="hello")
        yield end
        if "LM1" in self.broken:
            yield end
