"""What a process says of where others dial it."""

import pytest

from hector_runtime.advertising import AdvertisesNothing, advertised


@pytest.mark.parametrize(
    ("listen", "target"),
    [
        (None, ""),
        ("0.0.0.0:7010", ""),
        ("[::]:7010", ""),
        ("10.0.0.5:0", "10.0.0.5:7010"),
        ("unix:///run/agent.sock", "unix:/run/agent.sock"),
    ],
)
def test_where_it_listens_is_where_it_is_dialled_unless_that_says_nothing(
    listen: str | None, target: str
) -> None:
    assert advertised(None, listen, lambda: "10.0.0.5:7010")() == target


def test_a_socket_is_advertised_with_its_whole_path(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert advertised(None, "unix:agent.sock", str)() == f"unix:{tmp_path}/agent.sock"


def test_what_the_config_says_counts() -> None:
    assert advertised("agent-1:7010", "0.0.0.0:7010", str)() == "agent-1:7010"


def test_nobody_is_sent_to_where_nobody_listens() -> None:
    with pytest.raises(AdvertisesNothing, match="--listen"):
        advertised("agent-1:7010", None, str)
