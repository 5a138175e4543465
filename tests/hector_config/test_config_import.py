"""What importing costs: every process starts with these modules."""

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    ("statement", "absent"),
    [
        ("from hector_config import Section, Secret, Duration", ["yaml", "grpc", "hector_mesh"]),
        (
            "from hector_config import Section, load; load('{}', Section)",
            ["grpc", "hector_mesh"],
        ),
    ],
)
def test_importing_brings_only_what_is_used(statement, absent):
    """Ours: models need pydantic, the loader PyYAML, and gRPC comes with the first error."""
    program = f"import sys; {statement}; print([name for name in {absent} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "[]\n"


def test_every_public_name_is_there():
    import hector_config

    for name in hector_config.__all__:
        assert getattr(hector_config, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        _ = hector_config.nonsense
