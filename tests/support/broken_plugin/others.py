"""An embedder, a strategy, a parser, an agent and a guardrail."""

import asyncio
import json
import random
import struct
import time

from grpc import StatusCode

from hector.agent.v1 import Agent, AgentProviderServicer, DescribeAgentsResponse, RunAgentResponse
from hector.agent.v1 import add_AgentProviderServicer_to_server as add_agent
from hector.common.v1 import Part
from hector.document.v1 import (
    DocumentParserServicer,
    GetSupportedExtensionsResponse,
    ParseDocumentResponse,
    StreamParseDocumentResponse,
)
from hector.document.v1 import add_DocumentParserServicer_to_server as add_parser
from hector.embedder.v1 import (
    EmbedBatchResponse,
    EmbedderProviderServicer,
    Embedding,
    EmbedTextResponse,
    GetDimensionsResponse,
)
from hector.embedder.v1 import add_EmbedderProviderServicer_to_server as add_embedder
from hector.guardrail.v1 import (
    STAGE_USER_INPUT,
    VERDICT_ALLOW,
    VERDICT_BLOCK,
    VERDICT_MODIFY,
    VERDICT_UNSPECIFIED,
    CheckContentResponse,
    Finding,
    GetGuardrailInfoResponse,
    GuardrailServicer,
)
from hector.guardrail.v1 import add_GuardrailServicer_to_server as add_guardrail
from hector.reasoning.v1 import (
    Action,
    Ask,
    FinalizeResponse,
    InitializeResponse,
    ProcessIterationResponse,
    ReasoningStrategyServicer,
    State,
)
from hector.reasoning.v1 import add_ReasoningStrategyServicer_to_server as add_reasoning


def register(kind, server, broken, refuse):
    """Serve a kind."""
    add, make = {
        "embedder": (add_embedder, Embedder),
        "reasoning": (add_reasoning, Strategy),
        "parser": (add_parser, Parser),
        "agent": (add_agent, TheAgent),
        "guardrail": (add_guardrail, Guard),
    }[kind]
    add(make(broken, refuse), server)


class Servicer:
    def __init__(self, broken, refuse):
        self.broken, self.refuse = broken, refuse


class Embedder(Servicer, EmbedderProviderServicer):
    def vector(self, text):
        chance = random.Random(time.monotonic() if "EM4" in self.broken else text)
        vector = [chance.gauss(0, 1) for _ in range(7 if "EM1" in self.broken else 8)]
        length = 1 if "EM3" in self.broken else sum(x * x for x in vector) ** 0.5
        return [x / length for x in vector]

    def packed(self, text):
        return struct.pack("<8f", *self.vector(text)) if "EM1" not in self.broken else b""

    async def GetDimensions(self, request, context):
        return GetDimensionsResponse(dimensions=8, max_batch=16, normalized=True, fingerprint="f")

    async def EmbedText(self, request, context):
        if not request.text.strip() and "EM6" in self.broken:
            raise ZeroDivisionError("nothing to divide by")
        loose = self.vector(request.text)
        if "EM5" in self.broken:
            loose = [-x for x in loose]
        return EmbedTextResponse(success=True, vector=loose, vector_f32=self.packed(request.text))

    async def EmbedBatch(self, request, context):
        if len(request.texts) > 16 and "EM7" not in self.broken:
            await self.refuse(context, StatusCode.INVALID_ARGUMENT, "EMBEDDING_REFUSED", "at most 16 texts")
        texts = reversed(request.texts) if "EM2" in self.broken else request.texts
        return EmbedBatchResponse(
            success=True, embeddings=[Embedding(vector_f32=self.packed(text)) for text in texts]
        )


class Strategy(Servicer, ReasoningStrategyServicer):
    def __init__(self, broken, refuse):
        super().__init__(broken, refuse)
        self.remembered = 0
        self.asked = 0

    def state(self, step):
        self.remembered = step
        if "RE8" in self.broken:
            return State(data=bytes(2 << 20) if step > 2 else json.dumps(step).encode(), version=1)
        return State(data=json.dumps(step).encode(), version=1)

    async def read(self, state, context):
        if state.version != 1:
            reason = "STATE_UNREADABLE"
            await self.refuse(context, StatusCode.FAILED_PRECONDITION, reason, "unreadable", self.broken)
        return self.remembered if "RE2" in self.broken else json.loads(state.data.strip(b"\0") or b"3")

    async def Initialize(self, request, context):
        return InitializeResponse(success=True, state=None if "RE1" in self.broken else self.state(0))

    async def ProcessIteration(self, request, context):
        step = await self.read(request.state, context)
        if "RE2" in self.broken and step == 0 and request.iteration > 1:
            return ProcessIterationResponse(success=True, state=self.state(0))
        state = self.state(step + 1)
        if step and "RE6" in self.broken and not request.observations:
            raise IndexError("no observation")
        calls = [
            part.tool_call
            for seen in request.observations
            for part in seen.message.parts
            if part.HasField("tool_call")
        ]
        if calls:
            if "RE5" in self.broken:
                calls = calls[:1]
            names = ["same" if "RE4" in self.broken else f"tool-{step}-{n}" for n in range(len(calls))]
            actions = [Action(id=name, tool_call=call) for name, call in zip(names, calls, strict=True)]
            return ProcessIterationResponse(success=True, state=state, actions=actions)
        answered = any(seen.HasField("message") for seen in request.observations)
        failed = any(seen.WhichOneof("result") in (None, "error") for seen in request.observations)
        if answered or failed or (step and not request.observations):
            actions = [Action(id="more", ask=Ask())] if "RE3" in self.broken else []
            return ProcessIterationResponse(
                success=True, done=True, finalized=True, state=state, actions=actions
            )
        self.asked += 1
        name = f"ask-{self.asked}" if "RE7" in self.broken else f"ask-{step}"
        return ProcessIterationResponse(success=True, state=state, actions=[Action(id=name, ask=Ask())])

    async def Finalize(self, request, context):
        await self.read(request.state, context)
        return FinalizeResponse(success=True)


class Parser(Servicer, DocumentParserServicer):
    async def GetSupportedExtensions(self, request, context):
        return GetSupportedExtensionsResponse(extensions=["TXT" if "PA1" in self.broken else ".txt"])

    async def ParseDocument(self, request, context):
        if request.content.startswith(b"PK\x03\x04") and len(request.content) > 1000 and "PA5" in self.broken:
            await asyncio.sleep(60)
        if "PA7" in self.broken and not request.file_name.endswith(".txt"):
            await self.refuse(context, StatusCode.INVALID_ARGUMENT, "DOCUMENT_UNREADABLE", "no .txt")
        content = self.content = request.content
        if "PA8" in self.broken:
            await asyncio.sleep(0.02)
            content = self.content
        try:
            text = content.decode()
        except UnicodeDecodeError:
            if "PA4" in self.broken:
                raise
            await self.refuse(context, StatusCode.INVALID_ARGUMENT, "DOCUMENT_UNREADABLE", "no text")
        return ParseDocumentResponse(
            success=True,
            content="" if "PA2" in self.broken else text,
            metadata_json="[1]" if "PA6" in self.broken else '{"lines": 2}',
        )

    async def StreamParseDocument(self, request, context):
        result = await self.ParseDocument(request.document, context)
        if "PA3" in self.broken:
            result.content = "something else"
        yield StreamParseDocumentResponse(result=result)


class TheAgent(Servicer, AgentProviderServicer):
    def __init__(self, broken, refuse):
        super().__init__(broken, refuse)
        self.runs = self.busy = 0

    async def DescribeAgents(self, request, context):
        return DescribeAgentsResponse(
            agents=[
                Agent(
                    name="" if "AG1" in self.broken else "greeter",
                    description="" if "AG6" in self.broken else "Greets.",
                )
            ]
        )

    async def RunAgent(self, request, context):
        if request.agent not in ("", "greeter") or (not request.agent and "AG1" not in self.broken):
            await self.refuse(context, StatusCode.NOT_FOUND, "AGENT_NOT_FOUND", request.agent, self.broken)
        if "AG4" in self.broken and not request.message.parts:
            raise IndexError("no message")
        self.runs += 1
        mixed = False
        if "AG3" in self.broken and request.checkpoint and self.runs == 1:
            await context.abort(StatusCode.INTERNAL, "not my run")
        if "AG5" in self.broken:
            self.busy += 1
            await asyncio.sleep(0.02)
            mixed = self.busy > 1
            self.busy -= 1
        if "AG2" not in self.broken and not mixed:
            yield RunAgentResponse(text="hello")
        yield RunAgentResponse(checkpoint=b"1")


class Guard(Servicer, GuardrailServicer):
    def __init__(self, broken, refuse):
        super().__init__(broken, refuse)
        self.seen = 0

    async def GetGuardrailInfo(self, request, context):
        return GetGuardrailInfoResponse(
            stages=[] if "GU1" in self.broken else [STAGE_USER_INPUT], streaming=True
        )

    async def CheckContent(self, request, context):
        if not request.stage:
            await self.refuse(context, StatusCode.INVALID_ARGUMENT, "NO_STAGE", "say the stage", self.broken)
        self.seen += 1
        text = "".join(part.text for part in request.parts)
        if "GU6" in self.broken and any(part.HasField("blob") for part in request.parts):
            raise KeyError("text")
        state = b"x" * (100_000 if "GU4" in self.broken and request.more else 10)
        if "ignore all" in text:
            message = "" if "GU5" in self.broken else "That is not allowed here."
            return CheckContentResponse(verdict=VERDICT_BLOCK, message=message, stream_state=state)
        if "4111" in text and not ("GU3" in self.broken and self.seen % 2):
            begin = text.index("4111")
            return CheckContentResponse(
                verdict=VERDICT_MODIFY,
                findings=[
                    Finding(rule="card", start=begin, end=10_000 if "GU2" in self.broken else len(text))
                ],
                parts=[Part(text=text[:begin] + "…")],
                stream_state=state,
            )
        verdict = VERDICT_UNSPECIFIED if "GU2" in self.broken else VERDICT_ALLOW
        return CheckContentResponse(verdict=verdict, stream_state=state)
