"""The keys of `tools:`: what they mean, and where an error is said to be."""

import pytest

from hector_config import Section, load
from hector_config.invalid import ConfigInvalid
from hector_tool import ToolConfig, ToolSection, default_tools


class Root(ToolSection, Section):
    """As the runtime's root, with this room's keys only."""


def loaded(text, project):
    return load(text, Root, environment={}, project_dir=project).config.tools


def problems(text, project):
    with pytest.raises(ConfigInvalid) as failed:
        load(text, Root, environment={}, project_dir=project)
    return [(problem.line, problem.path, str(problem)) for problem in failed.value.problems]


@pytest.mark.parametrize(
    "entry",
    [
        "search: {type: function, handler: search}",
        "search: {type: search}",
        "search: {}",
        "search:",
        "search: {type: function}",
        "look: {type: search}",
        "look: {handler: search}",
    ],
)
def test_an_entry_is_the_tool_it_says_or_is_called(project, entry):
    (config,) = loaded(f"tools:\n  {entry}\n", project).values()
    assert config.tool == "search"


def test_file_tools_work_in_the_project_folder_unless_told_otherwise(project):
    tools = loaded("tools:\n  read_file: {}\n  docs: {type: grep_search, working_directory: docs}\n", project)
    assert tools["read_file"].working_directory == project
    assert tools["docs"].working_directory == project / "docs"


def test_units_are_what_people_write(project):
    keys = "max_file_size: 1MiB, timeout: 1m, max_output_size: 8KB, allowed_extensions: [MD]"
    config = loaded(f"tools: {{read_file: {{{keys}}}}}", project)["read_file"]
    assert (config.max_file_size, config.timeout, config.max_output_size) == (1 << 20, 60.0, 8000)
    assert config.allowed_extensions == [".md"]


def test_no_tools_key_is_not_the_same_as_no_tools(project):
    assert loaded("{}", project) is None
    assert loaded("tools: {}", project) == {}


def test_without_tools_there_is_what_shows_nothing_new():
    assert list(default_tools(has_documents=False)) == ["todo_write"]
    assert list(default_tools(has_documents=True)) == ["search", "todo_write"]


def test_default_tools_make_a_section():
    section = ToolSection(tools=default_tools(has_documents=True))
    assert section.tools is not None
    assert [entry.tool for entry in section.tools.values()] == ["search", "todo_write"]


@pytest.mark.parametrize(
    ("entry", "where", "says"),
    [
        ("bash: {type: function, handler: bash}", "tools.bash.handler", '"bash" is known, but not available'),
        ("cmd: {type: execute_command}", "tools.cmd.type", "known, but not available in this version"),
        ("fs: {type: mcp, url: http://x, args: [a]}", "tools.fs.type", '"mcp" is known, but not available'),
        ("fs: {command: npx, args: [a], transport: stdio}", "tools.fs", '"mcp" is known, but not available'),
        ("own: {type: plugin:mine, max_limit: 3}", "tools.own.max_limit", "has no effect on plugin:mine"),
        ("filetool: {}", "tools.filetool", '"filetool" is known, but not available'),
        ("nonsense: {}", "tools.nonsense.type", 'left out, and "nonsense" is none of what it can be'),
        ("serch: {}", "tools.serch.type", 'did you mean "search"?'),
        (
            "z: {type: function}",
            "tools.z.handler",
            "required with type function, allowed: search, read_file, grep_search, todo_write",
        ),
        (
            "x: {type: serch}",
            "tools.x.type",
            'allowed: "function", "search", "read_file", "grep_search", "todo_write"',
        ),
        ("x: {type: search, handler: read_file}", "tools.x.handler", "remove handler"),
        ("search: {max_results: 5}", "tools.search.max_results", "has no effect on search"),
        (
            "todo_write: {working_directory: x}",
            "tools.todo_write.working_directory",
            "no effect on todo_write",
        ),
        ("search: {limit: 5}", "tools.search.limit", "unknown key"),
        ("grep_search: {max_results: 0}", "tools.grep_search.max_results", "wrong value"),
        ("read_file: {max_output_size: 10}", "tools.read_file.max_output_size", "wrong value"),
        ("search: {enabled: maybe}", "tools.search.enabled", "true or false"),
        ('"my tool": {type: search}', 'tools."my tool"', "letters, digits"),
        ("exit_loop: {type: search}", "tools.exit_loop", "control tool"),
        ("transfer_to_bob: {type: search}", "tools.transfer_to_bob", "control tool"),
    ],
)
def test_an_error_is_one_line_at_its_place(project, entry, where, says):
    found = problems(f"tools:\n  {entry}\n", project)
    assert len(found) == 1, found
    line, path, text = found[0]
    assert line == 2
    assert path.startswith(where)
    assert says in text


def test_every_error_is_named_at_once(project):
    text = "tools:\n  bash: {}\n  search: {max_results: 5, max_file_size: 3}\n  x: {type: serch}\n"
    assert [line for line, _, _ in problems(text, project)] == [2, 3, 3, 4]


def test_a_tool_built_in_python_is_checked_too():
    with pytest.raises(ValueError, match="not available in this version"):
        ToolConfig(type="bash")
    with pytest.raises(ValueError, match="no effect"):
        ToolConfig(type="search", max_results=3)
