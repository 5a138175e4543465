"""A question of the strategy's to a model: what the model is told, and what the turn keeps of its answer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import grpc.aio

from hector.agent.v1 import MessagesAdded, ModelAnswered, RunEvent, TextAppended
from hector.common.v1 import Message, Tool
from hector.reasoning.v1 import Ask, Observation
from hector_mesh import HectorError

from . import retrying
from .errors import RunReleased
from .failure import error_of
from .measuring import ask
from .model import Turn as Answer
from .override import llm_of

if TYPE_CHECKING:
    from .turn import Turn


async def put(turn: "Turn", action: str, question: Ask) -> Observation:
    """Ask a model, show its text as it comes, and return what the strategy sees of the answer.

    What is to be written of it is left pending in the turn. A model that failed is an observation with an
    error, and `turn.failure`.

    Raises:
        HectorError: What was pending before could not be written. RunReleased: the run goes on elsewhere.
    """
    await turn.may_go_on()
    if turn.pending or turn.failure:  # of a question that failed, text may be open
        await turn.commit(last=True)
    turn.asked += 1
    messages = await _told(turn, question)
    name, llm = turn.agent.model(question.llm or _wanted_model(turn))
    artifact = "" if question.hidden else f"answer-{turn.asked}"
    offered = _offered(turn, question)
    options = question.options if question.HasField("options") else None
    run, agent = turn.run, turn.agent
    try:
        answer = await retrying.asked(
            turn,
            name,
            artifact,
            lambda: ask(
                llm,
                name,
                messages,
                offered,
                options,
                (lambda text: run.show(artifact, text)) if artifact else _nowhere,
                stream=agent.config.streaming,
                agent=agent.name,
                limit_bytes=agent.config.max_answer_size,
            ),
        )
    except RunReleased:
        raise
    except (HectorError, grpc.aio.AioRpcError) as error:
        turn.failure, told = error, error_of(error)
        return Observation(action_id=action, error=told.message, error_reason=told.reason)
    turn.failure = None
    run.tokens += answer.usage.total_tokens
    message = answer.message(with_text=True)
    _keep(turn, name, artifact, answer, message, question)
    return Observation(
        action_id=action, message=message, usage=answer.usage, finish_reason=answer.finish_reason
    )


async def _told(turn: "Turn", question: Ask) -> list[Message]:
    """Return all that the model is told; what the question adds for good is kept in the turn."""
    extra = list(question.messages)
    messages = extra
    if question.conversation != Ask.CONVERSATION_REPLACE:
        messages = [*await _instruction(turn), *turn.conversation, *extra]
    if question.conversation == Ask.CONVERSATION_APPEND and extra:
        turn.conversation += extra
        turn.pending.append(RunEvent(messages_added=MessagesAdded(messages=extra)))
    return messages


async def _instruction(turn: "Turn") -> Sequence[Message]:
    """Return what the model is told first, with what the session knows in its places."""
    instruction = turn.agent.instruction
    if not instruction.has_places:
        return instruction.messages
    return await instruction.filled(turn.agent.name, turn.state, turn.run.stored)


def _wanted_model(turn: "Turn") -> str:
    """Return the model that the run's first message asks for in place of the agent's own."""
    history = turn.run.task.history
    return llm_of(history[0]) if history else ""


def _offered(turn: "Turn", question: Ask) -> list[Tool]:
    if question.without_tools:
        return []
    return [tool for tool in turn.tools if tool.name in question.tools] if question.tools else turn.tools


def _keep(turn: "Turn", llm: str, artifact: str, answer: Answer, message: Message, question: Ask) -> None:
    shown = artifact if answer.text else ""
    answered = ModelAnswered(
        iteration=turn.iteration,
        message=answer.message(with_text=False) if shown else message,
        artifact_id=shown,
        llm=llm,
        model=answer.model,
        usage=answer.usage,
        finish_reason=answer.finish_reason,
        hidden=question.hidden,
    )
    if not shown and turn.run.takes_back(artifact):
        # What was shown of it before is void, and nothing comes.
        nothing = TextAppended(artifact_id=artifact, last=True)
        turn.pending.append(RunEvent(text_appended=nothing))
    turn.pending.append(RunEvent(model_answered=answered))
    if not question.hidden:
        turn.conversation.append(message)


def _nowhere(_: str) -> None:
    """Take text that nobody is to see."""
