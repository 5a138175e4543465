"""Sees that the code behind custom agents can be loaded, and says where in the config it is named if not."""

from hector_config import Loaded, Problem

from .config import Config


def check_handlers(loaded: Loaded[Config]) -> None:
    """Load the code of all custom agents: what is wrong with it is wrong with the config.

    Only who serves agents, or checks the config, does this: other roles need not have that code.

    Raises:
        ConfigInvalid: Some of it cannot be loaded.
    """
    handlers = {name: agent.handler for name, agent in loaded.config.agents.items() if agent.handler}
    if not handlers:
        return
    from hector_agent.custom.errors import HandlerNotUsable
    from hector_agent.custom.loading import load
    from hector_config import ConfigInvalid

    problems = []
    for agent, named in handlers.items():
        try:
            load(named)
        except HandlerNotUsable as error:
            mark = loaded.marks["agents", agent, "handler"]
            problems.append(Problem(*mark, f"agents.{agent}.handler", str(error)))
    if problems:
        raise ConfigInvalid(problems, loaded.warnings)
