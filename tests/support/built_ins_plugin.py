"""A plugin that is Hector's own built-in parts: what they can do, a plugin can."""

import os
from pathlib import Path

from hector_document.parser import TextParser
from hector_embedder import EmbedderConfig
from hector_embedder.local import LocalEmbedder
from hector_llm import LLMConfig
from hector_llm.local import LocalProvider
from hector_plugin import serve
from hector_reasoning.service import ReasoningServicer
from hector_tool import ToolConfig
from hector_tool.builtin import BuiltInProvider
from hector_tool.todo_write import todo_write
from hector_vector.embedded import EmbeddedStore

if __name__ == "__main__":
    serve(
        TextParser(),
        LocalEmbedder(EmbedderConfig(dimension=64)),
        LocalProvider(LLMConfig(provider="local")),
        ReasoningServicer(),
        EmbeddedStore("main", Path(os.environ.get("PLUGIN_UNIX_SOCKET_DIR", ""), "vectors").absolute()),
        BuiltInProvider("todo_write", ToolConfig(type="todo_write"), todo_write()),
        name="built-ins",
        version="1.0.0",
    )
