"""The servicer of the offline model."""

from collections.abc import AsyncIterator

from hector.common.v1 import Message, Part, Role
from hector.llm.v1 import (
    FinishReason,
    GenerateTextRequest,
    GenerateTextResponse,
    LLMProviderServicer,
    StreamTextRequest,
    StreamTextResponse,
)
from hector_llm.config import LLMConfig
from hector_mesh import Context


class LocalProvider(LLMProviderServicer):
    """Answers without weights, key or network."""

    def __init__(self, config: LLMConfig) -> None:
        self._config = config

    async def GenerateText(self, request: GenerateTextRequest, context: Context) -> GenerateTextResponse:
        text = "I am the offline model."
        said = Message(role=Role.ROLE_ASSISTANT, parts=[Part(text=text)])
        return GenerateTextResponse(text=text, message=said, finish_reason=FinishReason.FINISH_REASON_STOP)

    async def StreamText(
        self, request: StreamTextRequest, context: Context
    ) -> AsyncIterator[StreamTextResponse]:
        yield StreamTextResponse(
            text="I am the offline model.", done=True, finish_reason=FinishReason.FINISH_REASON_STOP
        )
