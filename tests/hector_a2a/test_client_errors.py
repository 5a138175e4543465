"""What is said when a client finds no server, with the next step that fits."""

import pytest

from hector_a2a.client_errors import NoServerThere


@pytest.mark.parametrize(
    ("url", "why", "step"),
    [
        ("http://h:1", "h:1: Connection refused", "start one with `hector serve`"),
        ("http://h:1", "h:1: closed the connection without an answer", "write https:// in --url"),
        ("https://h:1", "h:1: closed the connection without an answer", "start one with `hector serve`"),
        ("https://h:1", "h:1: no TLS", "write http:// in --url"),
    ],
)
def test_the_next_step_fits_what_happened(url: str, why: str, step: str) -> None:
    assert step in str(NoServerThere(url, why))
