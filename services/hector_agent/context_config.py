"""The keys of `agents.<name>.context:`: how much of its session an agent is shown."""

from typing import Annotated

from pydantic import Field

from hector_config import OneOf, Section

Strategy = Annotated[str, OneOf("none", "buffer_window", later=["token_window", "summary_buffer"])]


class ContextConfig(Section):
    """How much of what was said before an agent is shown."""

    strategy: Strategy = "none"
    """`none`: all of it. `buffer_window`: the latest turns; no more is read, however long the session is."""
    window_size: Annotated[int, Field(ge=1, le=10_000)] = 20
    """With `buffer_window`: so many messages, in whole turns; the last turn is shown in any case."""

    later = {
        **dict.fromkeys(("budget", "preserve_recent"), "strategy buffer_window counts messages"),
        **dict.fromkeys(("threshold", "target", "summarizer_llm"), "nothing is summarized yet"),
    }

    @property
    def messages(self) -> int | None:
        """How many messages are shown; None: all."""
        return self.window_size if self.strategy == "buffer_window" else None
