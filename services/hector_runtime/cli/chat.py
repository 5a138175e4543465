"""`hector chat`: a conversation in the terminal."""

import asyncio
import signal
import sys
from typing import TYPE_CHECKING, Any

import click

from .documented import Documented, flag
from .exits import ASKING, Exit, exit_for
from .options import here_options, server_options, source_of
from .output import Writer, aside
from .running import leave, reason_of, run, told
from .terminal import editable, line, restore

if TYPE_CHECKING:
    import hector_a2a as a2a
    from hector_a2a.client import AgentEntry
    from hector_runtime.asking import Asker

    from .answer import Answer

LEAVE = {"exit", "quit", "/exit", "/quit"}
HELP = """\
  /agents        the agents that can be asked
  /agent NAME    talk with another one; the conversation goes on
  /new           begin a new conversation
  /session       the id of this conversation
  /exit          leave (also: exit, quit, Ctrl-D)
  //TEXT         say /TEXT
A line that ends in \\ goes on in the next one. Ctrl-C cancels an answer, and at the prompt leaves."""
EXAMPLES = (
    ("hector chat", "Talk with the first agent of the server, or of hector.yaml."),
    ("hector chat writer --session 0198f3", "Go on with another agent, in a conversation that was begun."),
    ("hector chat --config hector.yaml --database sqlite://chat.db", "Without a server, but kept."),
)


@click.command(
    "chat", cls=Documented, examples=EXAMPLES, exits={**ASKING, Exit.INTERRUPTED: "Ctrl-C at the prompt"}
)
@click.argument("agent", required=False, default="")
@flag("-a", "--agent", "named", metavar="NAME", show_default="the first one", help="The same as AGENT.")
@flag(
    "-s",
    "--session",
    metavar="ID",
    envvar="HECTOR_SESSION",
    show_envvar=True,
    default="",
    help="Go on with a conversation.",
)
@flag("--llm", metavar="NAME", default="", help="Ask this model, as `hector call --llm` does.")
@flag("--stream/--no-stream", default=True, help="Print answers as they come, or whole at their end.")
@flag("--show-tools/--no-show-tools", default=True, help="Say which tools are used.")
@server_options
@here_options
def command(
    agent: str, named: str | None, session: str, llm: str, stream: bool, show_tools: bool, **options: Any
) -> None:
    """Talk with an agent; `exit` or Ctrl-D ends it, /help lists what else there is.

    Who answers is decided as for `hector call`. From a pipe every line is a message, and the exit code says
    whether all were answered. What is typed is kept nowhere but in the conversation.
    """
    if named and agent and named != agent:
        raise click.UsageError(f"AGENT is {agent!r} and --agent {named!r}: name one")
    source = source_of(options)

    async def talk() -> int:
        from .server import asker

        async with asker(source, session) as there:
            chat = Chat(there, named or agent, session, llm, Writer(tools=show_tools), stream=stream)
            return await chat.talk(source.here)

    with editable():
        try:
            code = run(talk())
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(Exit.FAILED)
    # A thread may be waiting for a line still, and Python would wait for the thread.
    leave(code)


class Chat:
    """One conversation: who is asked, and in which session."""

    def __init__(
        self, there: "Asker", agent: str, session: str, llm: str, writer: Writer, *, stream: bool
    ) -> None:
        self._there, self._agent, self._session, self._llm = there, agent, session, llm
        self._writer, self._stream = writer, stream
        self._waits = ""
        """The task that waits for what is said next."""
        self._agents: list[AgentEntry] = []
        self._answering: asyncio.Task[Answer] | None = None
        self._cancelled = False
        self._code = int(Exit.DONE)

    async def talk(self, here: list[str]) -> int:
        """Talk until the input ends, and return the exit code."""
        await self._meet()
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, self._interrupted)
        aside(f"Talking with {self._name()}. /help lists commands; exit or Ctrl-D ends the conversation.")
        while (text := await line(self._prompt())) is not None:
            text = text.strip()
            if text.lower() in LEAVE:
                break
            if text.startswith("/") and not text.startswith("//"):
                await self._obey(text)
            elif text:
                await self._say(text.removeprefix("/") if text.startswith("//") else text)
        if self._session and "--database" not in here and here:
            return self._code
        if self._session:
            aside(f"Go on later with: hector chat --session {self._session}")
        return 0 if sys.stdin.isatty() else self._code

    async def _meet(self) -> None:
        """Find out who is there, and whether the one that is wanted is."""
        from hector_mesh import HectorError

        try:
            self._agents = await self._there.agents()
        except HectorError as error:
            reason = reason_of(error)
            if exit_for(reason) is not Exit.FAILED and reason != "NOT_AN_A2A_SERVER":
                raise
            return  # a server that is not Hector's may have no such list
        if self._agent:
            self._check(self._agent)

    def _check(self, name: str) -> None:
        from .names import NoSuchAgent

        names = [agent.name for agent in self._agents]
        if names and name not in names:
            raise NoSuchAgent(name, names)

    def _name(self) -> str:
        return self._agent or next((one.name for one in self._agents if one.default), "the default agent")

    def _prompt(self) -> str:
        return f"{self._agent}> " if self._agent else "> "

    async def _obey(self, text: str) -> None:
        from .names import NoSuchAgent

        order, _, rest = text.partition(" ")
        name = rest.strip()
        if order == "/help":
            aside(HELP)
        elif order == "/new":
            self._session = self._waits = ""
            aside("A new conversation.")
        elif order == "/session":
            aside(self._session or "There is none yet: say something.")
        elif order == "/agents":
            for agent in self._agents:
                mark = "*" if agent.name == self._name() else " "
                aside(f"{mark} {agent.name}: {agent.description or agent.title}")
        elif order == "/agent" and name:
            try:
                self._check(name)
            except NoSuchAgent as error:
                click.echo(f"Error: {error}", err=True)
                return
            self._agent, self._waits = name, ""
            aside(f"Talking with {name}.")
        else:
            click.echo(f"Error: {order} needs a name" if order == "/agent" else HELP, err=True)

    async def _say(self, text: str) -> None:
        from grpc.aio import AioRpcError

        from hector_mesh import HectorError
        from hector_runtime.asking import question

        from .answer import Show, followed, nothing

        writer = self._writer
        show = Show(text=writer.text if self._stream else nothing, tool=writer.tool, update=self._heard)
        wanted = question(text, self._agent, self._session, self._llm, self._waits)
        self._answering, self._cancelled = asyncio.ensure_future(followed(self._there, wanted, show)), False
        try:
            answer = await self._answering
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
            writer.end()
            self._waits = ""
            aside("[cancelled]")
            return
        except (HectorError, AioRpcError) as error:
            writer.end()
            self._code = int(exit_for(reason_of(error)))
            click.echo(f"Error: {told(error)}", err=True)
            if self._code == Exit.UNREACHABLE:
                aside("The conversation goes on when the server is back: say it again then.")
            return
        finally:
            self._answering = None
        self._conclude(answer)

    def _heard(self, update: "a2a.StreamResponse") -> None:
        """Know the conversation as soon as it has a name: it goes on, however this answer ends."""
        if update.HasField("task"):
            self._session = update.task.context_id or self._session

    def _conclude(self, answer: "Answer") -> None:
        self._session = answer.context or self._session
        self._waits = answer.task if answer.waits else ""
        if not self._stream:
            self._writer.text(answer.text)
        self._writer.end()
        if answer.waits:
            click.echo(answer.problem or "The agent waits for more.")
        elif not answer.good:
            self._code = int(Exit.FAILED)
            why = answer.problem or f"the task ended as {answer.state_name}"
            click.echo(f"Error: {why}", err=True)

    def _interrupted(self) -> None:
        """Ctrl-C: cancel the answer under way; at the prompt, and the second time, leave."""
        if self._answering is not None and not self._cancelled:
            self._cancelled = True
            self._answering.cancel()
            return
        restore()
        click.echo(err=True)
        leave(int(Exit.INTERRUPTED))
