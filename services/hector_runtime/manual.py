"""docs/configuration.md and docs/migration.md, made from the models and the table of old spellings."""

from collections.abc import Iterable, Iterator, Sequence

from hector_config.manual import Key, keys_of, later_of, meaning_of
from hector_config.spelling import Alias, Spelling

from .aliases import ALIASES
from .config import Config
from .manual_text import EXAMPLES, MIGRATION, READING
from .plugins.config import KINDS, PluginsConfig

NAMED = ("version", "name", "description", "metadata")
SECTIONS = (
    *("agents", "llms", "tools", "document_stores", "vector_stores", "embedders", "defaults", "plugins"),
    *("server", "storage", "observability", "logger", "mesh"),
)
"""Sections in the order of the page: what a user begins with comes first."""


def configuration() -> str:
    """Return the config reference as Markdown."""
    missing = set(Config.model_fields) - {*SECTIONS, *NAMED}
    assert not missing, f"sections that the reference does not know: {missing}"
    contents = "".join(f"| [`{name}`](#{name}) | {_line(meaning_of(Config, name))} |\n" for name in SECTIONS)
    own = [Key(name, _kind_of(name), _default_of(name), meaning_of(Config, name)) for name in NAMED]
    blocks = [
        READING,
        f"## Sections\n\n| section | what it holds |\n|---|---|\n{contents}",
        f"## The file itself\n\n{_table(own)}",
        *(_section(name) for name in SECTIONS),
    ]
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def migration() -> str:
    """Return the migration page as Markdown."""
    groups: dict[str, list[Spelling]] = {}
    for row in ALIASES:
        groups.setdefault(row.old.split(".")[0], []).append(row)
    old = [f"### {name}\n\n{_spellings(rows)}" for name, rows in sorted(groups.items())]
    blocks = [MIGRATION, "## Older spellings", *old, "## Known, but not available in this version", _later()]
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def _section(name: str) -> str:
    keys = keys_of(Config, name) if name != "plugins" else list(_plugins())
    entries = all(key.path.startswith("<name>.") for key in keys)
    where = f"Each entry, `{name}.<name>`, has these keys:" if entries else f"Keys of `{name}`:"
    shown = [Key(key.path.removeprefix("<name>."), key.kind, key.default, key.meaning) for key in keys]
    example = f"```yaml\n{EXAMPLES[name].strip()}\n```"
    return f"## {name}\n\n{_line(meaning_of(Config, name))}\n\n{example}\n\n{where}\n\n{_table(shown)}"


def _plugins() -> Iterator[Key]:
    """Yield the keys of plugins: those of an entry once, since they are the same for all kinds."""
    first, *_ = KINDS
    for key in keys_of(Config, "plugins"):
        kind, _, rest = key.path.partition(".")
        if kind not in KINDS:
            yield key
        elif kind == first and rest:
            yield Key(f"<kind>.{rest}", key.kind, key.default, key.meaning)
    for kind in KINDS:
        yield Key(kind, "plugins by name", "none", meaning_of(PluginsConfig, kind))


def _table(keys: Iterable[Key]) -> str:
    head = "| key | what may stand there | default | meaning |\n|---|---|---|---|\n"
    return head + "".join(
        f"| `{key.path}` | {_cell(key.kind)} | {_cell(key.default)} | {_line(key.meaning)} |\n"
        for key in keys
    )


def _kind_of(name: str) -> str:
    return "mapping of names to text" if name == "metadata" else "text, as written"


def _default_of(name: str) -> str:
    return "`2`" if name == "version" else ""


def _spellings(rows: Sequence[Spelling]) -> str:
    head = "| before | now | note |\n|---|---|---|\n"
    return head + "".join(
        f"| {before} | {now} | {_line(row.note)} |\n" for row in rows for before, now in _said(row)
    )


def _said(row: Spelling) -> Iterator[tuple[str, str]]:
    """Yield what stood there and what stands there now: a line for each word that has changed."""
    old, new = _path(row.old), _path(row.new)
    if not isinstance(row, Alias):
        yield f"`{old}`", row.new
        return
    if row.old != row.new:
        which = ", ".join(f"`{key}` is {_words(words)}" for key, words in row.when.items())
        now = f"`{new}`{_not_yet(row.new)}" if new else "has no effect any more"
        yield f"`{old}`" + (f" where {which}" if which else ""), now
    for before, word in row.values.items():
        yield f"`{old}: {before}`", f"`{new}: {word}`{_not_yet(row.new, word)}"


def _not_yet(path: str, word: str = "") -> str:
    """Say of a new spelling that it is not available either."""
    for one in later_of(Config):
        whole, part = f"{path}.".startswith(f"{one.path}."), one.path == path and word in one.words
        if part if one.words else whole:
            return " (not yet)"
    return ""


def _words(words: Iterable[str]) -> str:
    return " or ".join(f"`{word}`" for word in words)


def _later() -> str:
    head = "| key | what to do |\n|---|---|\n"
    rows = []
    for one in later_of(Config):
        shown = _words(one.words) if one.words else ""
        rows.append(f"| `{_path(one.path)}`{': ' + shown if shown else ''} | {_line(one.instead)} |\n")
    return head + "".join(sorted(rows, key=lambda row: row.replace("`", "")))


def _path(path: str) -> str:
    return path.replace("*", "<name>")


def _line(text: str) -> str:
    return _cell(" ".join(text.split()))


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text.replace("|", "\\|")
