"""Ours: what is wrong with the code behind an agent is said like what is wrong with its config."""

import sys
import textwrap

import pytest
from click.testing import CliRunner

from hector_agent.custom.errors import HandlerNotUsable
from hector_agent.custom.handler_name import Named
from hector_agent.custom.loading import load
from hector_runtime.cli import hector

GOOD = "async def answer(turn):\n    yield turn.text\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    (tmp_path / "handlers.py").write_text(GOOD)
    return tmp_path


def validated(folder, agent: str):
    (folder / "hector.yaml").write_text(f"agents:\n  a: {agent}\n")
    return CliRunner().invoke(hector, ["validate", "hector.yaml"])


def write(folder, text, name="handlers.py"):
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(textwrap.dedent(text))


def test_a_handler_beside_the_config_is_found(folder):
    result = validated(folder, "{type: custom, handler: handlers:answer}")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("agent", "said"),
    [
        ("{type: custom}", 'agents.a.handler: required with type custom, as "package.module:name"'),
        ("{type: custom, handler: handlers}", "a module and a function in it are needed here"),
        ("{handler: handlers:answer}", "it belongs to agents of type custom (write type: custom)"),
        (
            "{type: custom, handler: handlers:answer, llm: default, tools: []}",
            "agents.a.tools: it belongs to agents of type llm",
        ),
        (
            "{type: custom, handler: handlers:anser}",
            "hector.yaml:2:30: agents.a.handler: module 'handlers' (",
        ),
        ("{type: custom, handler: handlers:anser}", "has no 'anser'; did you mean 'answer'?"),
        ("{type: custom, handler: handlers:zzz}", "has no 'zzz'; it has answer"),
        ("{type: custom, handler: handler:answer}", "there is no module 'handler' in "),
        ("{type: custom, handler: handler:answer}", "did you mean 'handlers'?"),
        ("{type: custom, handler: handlers.deep:answer}", "there is no module 'handlers.deep'"),
        ("{type: custom, handler: nowhere.at.all:x}", "there is no module 'nowhere' in "),
        ("{type: custom, handler: json:dumps}", "json:dumps is a function that is not async"),
        ("{type: custom, handler: json:JSONDecoder}", "json:JSONDecoder is a type"),
        ("{type: custom, handler: asyncio:sleep_not}", "has no 'sleep_not'; did you mean 'sleep'?"),
    ],
)
def test_what_is_no_handler_is_named_with_its_line_and_a_way_out(folder, agent, said):
    result = validated(folder, agent)
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import nothing_here", "handlers.py:1: ModuleNotFoundError: No module named 'nothing_here'"),
        ("\n1 / 0\n", "handlers.py:2: ZeroDivisionError: division by zero"),
        ("async def answer(turn:\n", "handlers.py:1: SyntaxError"),
        ("import sys\nsys.exit('no')", "handlers.py:2: SystemExit: no"),
        ("def answer(turn):\n    yield 1\n", "handlers:answer is a function that is not async"),
        ("answer = 3", "handlers:answer is a int"),
        ("async def answer():\n    yield 1\n", "cannot be called with the turn alone"),
        ("async def answer(turn, more):\n    yield 1\n", "cannot be called with the turn alone"),
        ("async def answer(*, turn):\n    yield 1\n", "cannot be called with the turn alone"),
    ],
)
def test_code_that_cannot_be_used_is_told_with_its_own_line(folder, source, said):
    (folder / "handlers.py").write_text(source)
    result = validated(folder, "{type: custom, handler: handlers:answer}")
    assert result.exit_code == 1
    assert said in result.output
    assert "Traceback" not in result.output


def test_all_agents_with_bad_code_are_told_at_once(folder):
    (folder / "hector.yaml").write_text(
        "agents:\n"
        "  a: {type: custom, handler: handlers:one}\n"
        "  b: {type: custom, handler: handlers:answer}\n"
        "  c: {type: custom, handler: nowhere:three}\n"
    )
    result = CliRunner().invoke(hector, ["validate", "hector.yaml"])
    assert "agents.a.handler" in result.output
    assert "agents.b.handler" not in result.output
    assert "agents.c.handler" in result.output


def test_a_handler_may_stand_in_a_package_with_siblings(folder):
    write(folder, "", "mine/__init__.py")
    write(folder, "WORD = 'deep'\n", "mine/words.py")
    write(folder, "TOP = 'top'\n", "toplevel_of_mine.py")
    write(
        folder,
        """
        import toplevel_of_mine
        from .words import WORD

        class Answers:
            async def one(turn):
                yield WORD + toplevel_of_mine.TOP
        """,
        "mine/agents.py",
    )
    handler = load(Named("mine.agents", "Answers.one", folder))
    assert handler.__globals__["WORD"] == "deep"
    assert load(Named("mine.agents", "Answers.one", folder)) is handler


def test_a_file_beside_the_config_shadows_nobody(folder):
    write(folder, GOOD, "colorsys.py")
    write(folder, "import csv as answer_of_csv\n" + GOOD)
    write(folder, "raise RuntimeError('shadowed')", "csv.py")
    sys.modules.pop("colorsys", None)
    own = load(Named("colorsys", "answer", folder))
    assert own.__code__.co_filename == str(folder / "colorsys.py")
    load(Named("handlers", "answer", folder))
    assert not hasattr(sys.modules["csv"], "shadowed")
    sys.modules.pop("colorsys", None)
    import colorsys

    assert hasattr(colorsys, "rgb_to_hls")


def test_a_module_that_python_has_loaded_already_is_not_replaced(folder):
    write(folder, GOOD, "logging.py")
    with pytest.raises(HandlerNotUsable, match="give the file another name"):
        load(Named("logging", "answer", folder))


def test_changed_code_is_read_again_and_unchanged_code_is_not(folder):
    write(folder, "from helper_of_mine import WORD\n" + GOOD)
    write(folder, "WORD = 1\n", "helper_of_mine.py")
    named = Named("handlers", "answer", folder)
    first = load(named)
    assert load(named) is first
    write(folder, "WORD = 2\n", "helper_of_mine.py")
    second = load(named)
    assert second is not first
    assert (first.__globals__["WORD"], second.__globals__["WORD"]) == (1, 2)
    assert load(named) is second


def test_code_that_became_bad_leaves_what_was_loaded_before(folder):
    named = Named("handlers", "answer", folder)
    first = load(named)
    write(folder, "async def answer(turn:\n")
    with pytest.raises(HandlerNotUsable):
        load(named)
    assert first.__code__.co_name == "answer"
    write(folder, GOOD)
    assert load(named).__code__.co_name == "answer"


def test_two_projects_in_one_process_have_their_own_code(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    write(other, "WHOSE = 'other'\n" + GOOD)
    assert "WHOSE" not in load(Named("handlers", "answer", folder)).__globals__
    assert load(Named("handlers", "answer", other)).__globals__["WHOSE"] == "other"
    assert "WHOSE" not in load(Named("handlers", "answer", folder)).__globals__


def test_nothing_is_written_beside_the_config(folder):
    load(Named("handlers", "answer", folder))
    assert [entry.name for entry in folder.iterdir()] == ["handlers.py"]


def test_a_config_without_custom_agents_loads_no_loader(folder):
    (folder / "hector.yaml").write_text("agents:\n  a: {instruction: Be brief.}\n")
    before = sys.modules.pop("hector_agent.custom.loading")
    try:
        assert CliRunner().invoke(hector, ["validate", "hector.yaml"]).exit_code == 0
        assert "hector_agent.custom.loading" not in sys.modules
    finally:
        sys.modules["hector_agent.custom.loading"] = before
