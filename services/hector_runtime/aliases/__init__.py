"""Every older spelling that still loads: one table, from which the migration page is made too."""

from hector_config import Spelling

from .agents import AGENTS, INLINE
from .documents import DOCUMENTS
from .models import MODELS
from .plugins import PLUGINS
from .server import SERVER
from .tools import TOOLS

ALIASES: tuple[Spelling, ...] = (*PLUGINS, *INLINE, *SERVER, *MODELS, *TOOLS, *DOCUMENTS, *AGENTS)
"""In the order in which they are applied: what an agent holds inline moves out first."""
