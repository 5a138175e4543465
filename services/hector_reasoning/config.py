"""What this room reads of the configuration: nothing. The agent hands a strategy its options."""

from hector_config import Section


class ReasoningSection(Section):
    """No keys: `agents.<name>.reasoning` is read by the agent, which passes it on to Initialize."""
