"""The table of roles: which run here, where the others are, and what is said when that is not known."""

import pytest

from hector_config import load
from hector_runtime.config import Config
from hector_runtime.roles import ROLES, RoleWithoutAddress, UnknownRole, chosen, elsewhere

DOCUMENTS = "document_stores: {docs: {source: {path: .}}}\n"


def config(text: str = "{}") -> Config:
    return load(text, Config, environment={}).config


def test_without_names_every_role_runs_that_the_configuration_needs():
    assert chosen([], config()) == ["llm", "tool", "reasoning", "agent", "gateway"]
    assert chosen([], config(DOCUMENTS)) == list(ROLES)


def test_named_roles_run_in_the_order_of_the_table():
    assert chosen(["gateway", "llm", "gateway"], config()) == ["llm", "gateway"]


def test_a_named_role_runs_even_if_the_configuration_does_not_need_it():
    assert chosen(["vector"], config()) == ["vector"]


def test_an_unknown_role_is_named_with_those_there_are():
    with pytest.raises(UnknownRole, match=r"no role 'lmm'; the roles are embedder, .*gateway"):
        chosen(["lmm"], config())


def test_one_process_needs_no_addresses():
    assert elsewhere(list(ROLES), config(DOCUMENTS)) == {}


def test_a_missing_address_names_the_role_its_callers_and_the_line_to_add():
    with pytest.raises(RoleWithoutAddress) as refused:
        elsewhere(["agent"], config("mesh: {llm: 'unix:///l', reasoning: 'unix:///r'}"))
    told = str(refused.value)
    assert "role 'tool' has no address" in told
    assert "agent here must call it" in told
    assert '`mesh: {tool: "dns:///HOST:PORT"}`' in told
    assert "--role tool" in told


def test_every_caller_of_a_role_without_address_is_named():
    with pytest.raises(RoleWithoutAddress, match=r"role 'vector'.* document here"):
        elsewhere(["document"], config(DOCUMENTS + "mesh: {embedder: 'unix:///e'}"))


def test_only_roles_that_are_called_from_here_are_dialled():
    text = "mesh: {agent: 'unix:///a', llm: 'unix:///l', tool: 'unix:///t', reasoning: 'unix:///r'}"
    assert elsewhere(["tool"], config(text)) == {}
    assert elsewhere(["agent"], config(text)) == {
        "llm": "unix:///l",
        "tool": "unix:///t",
        "reasoning": "unix:///r",
    }


def test_the_gateway_asks_every_role_that_has_an_address_how_it_is():
    text = "mesh: {agent: 'unix:///a', llm: 'unix:///l'}"
    assert elsewhere(["gateway"], config(text)) == {"agent": "unix:///a", "llm": "unix:///l"}


def test_roles_for_documents_are_not_dialled_where_there_are_none():
    assert (
        elsewhere(["gateway", "agent", "llm", "tool", "reasoning"], config("mesh: {vector: 'unix:///v'}"))
        == {}
    )


def test_every_role_can_be_given_an_address_but_the_border():
    for role in ROLES:
        found = config().mesh.address(role)
        assert found is None
        if role != "gateway":
            assert config(f"mesh: {{{role}: 'dns:///x:1'}}").mesh.address(role) == "dns:///x:1"


def test_all_roles_without_an_address_are_named_at_once() -> None:
    with pytest.raises(RoleWithoutAddress) as refused:
        elsewhere(["agent"], Config())
    told = str(refused.value)
    assert told.startswith("roles 'llm' and 'tool' and 'reasoning' have no address, and agent here must call")
    assert 'mesh: {llm: "dns:///HOST:PORT", tool: "dns:///HOST:PORT", reasoning: "dns:///HOST:PORT"}' in told
    assert "run them here with --role llm --role tool --role reasoning" in told
