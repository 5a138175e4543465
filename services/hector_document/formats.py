"""Which files are text, by their names."""

from pathlib import PurePosixPath

MARKDOWN = frozenset({".md", ".markdown", ".mdx", ".mdown", ".mkd"})
PROSE = frozenset({".txt", ".text", ".rst", ".adoc", ".asciidoc", ".org", ".tex", ".log", ".csv", ".tsv"})
DATA = frozenset(
    {".json", ".jsonl", ".ndjson", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".conf", ".properties", ".xml"}
    | {".env", ".proto", ".graphql", ".sql", ".html", ".htm", ".css", ".scss", ".svg"}
)
CODE = frozenset(
    {
        ".py",
        ".pyi",
        ".go",
        ".rs",
        ".java",
        ".kt",
        ".kts",
        ".scala",
        ".groovy",
        ".c",
        ".h",
        ".cc",
        ".cpp",
        ".hpp",
    }
    | {".cs", ".fs", ".swift", ".m", ".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".svelte", ".rb"}
    | {
        ".php",
        ".pl",
        ".lua",
        ".r",
        ".jl",
        ".ex",
        ".exs",
        ".erl",
        ".hs",
        ".ml",
        ".clj",
        ".dart",
        ".zig",
        ".nim",
    }
    | {".sh", ".bash", ".zsh", ".fish", ".ps1", ".bat", ".tf", ".nix", ".cmake", ".gradle", ".mk", ".diff"}
)
EXTENSIONS = MARKDOWN | PROSE | DATA | CODE
_NAMES = frozenset(
    {
        "readme",
        "license",
        "licence",
        "copying",
        "notice",
        "authors",
        "contributors",
        "changelog",
        "changes",
        "news",
    }
    | {"todo", "install", "makefile", "dockerfile", "containerfile", "jenkinsfile", "procfile", "gemfile"}
)


def extension_of(path: str) -> str:
    """Return the extension in lower case, with its dot: ".md"."""
    return PurePosixPath(path).suffix.lower()


def is_markdown(path: str) -> bool:
    return extension_of(path) in MARKDOWN


def is_text(path: str) -> bool:
    """Return whether a file of this name is taken for text; what is in it decides when it is read."""
    return extension_of(path) in EXTENSIONS or PurePosixPath(path).name.lower() in _NAMES
