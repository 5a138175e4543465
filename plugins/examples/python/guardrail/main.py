"""Takes numbers of payment cards out of what users send, models write and tools return."""

import re

from hector.common.v1 import Part
from hector.guardrail.v1 import (
    SEVERITY_HIGH,
    STAGE_MODEL_OUTPUT,
    STAGE_TOOL_RESULT,
    STAGE_USER_INPUT,
    VERDICT_ALLOW,
    VERDICT_MODIFY,
    CheckContentRequest,
    CheckContentResponse,
    Finding,
    GetGuardrailInfoRequest,
    GetGuardrailInfoResponse,
    GuardrailServicer,
)
from hector_plugin import serve
from hector_plugin.errors import InvalidArgument

STAGES = (STAGE_USER_INPUT, STAGE_MODEL_OUTPUT, STAGE_TOOL_RESULT)
CARD = re.compile(r"\b(?:\d[ -]?){12,18}\d\b")


class Cards(GuardrailServicer):
    async def GetGuardrailInfo(
        self, request: GetGuardrailInfoRequest, context: object
    ) -> GetGuardrailInfoResponse:
        return GetGuardrailInfoResponse(stages=STAGES)

    async def CheckContent(self, request: CheckContentRequest, context: object) -> CheckContentResponse:
        if not request.stage:
            raise InvalidArgument("say the stage")
        answer = CheckContentResponse(verdict=VERDICT_ALLOW)
        for place, part in enumerate(request.parts):
            answer.findings.extend(findings(place, part.text))
            answer.parts.append(without_cards(part))
        if answer.findings:
            answer.verdict = VERDICT_MODIFY
        else:
            del answer.parts[:]
        return answer


def findings(place: int, text: str) -> list[Finding]:
    return [
        Finding(
            rule="pii.card",
            severity=SEVERITY_HIGH,
            message="the number of a payment card",
            part=place,
            start=match.start(),
            end=match.end(),
        )
        for match in CARD.finditer(text)
    ]


def without_cards(part: Part) -> Part:
    return Part(text=CARD.sub("[card]", part.text)) if part.HasField("text") else part


if __name__ == "__main__":
    serve(Cards(), name="example-guardrail", version="1.0.0")
