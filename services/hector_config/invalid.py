"""The error of a config that cannot be used; a module of its own, because it brings gRPC along."""

from collections.abc import Iterable

from grpc import StatusCode

from hector_config.problem import Problem, in_order
from hector_mesh.errors import HectorError


class ConfigInvalid(HectorError):
    """A config cannot be used. `problems` says all that is wrong with it, in the order of the file."""

    code = StatusCode.INVALID_ARGUMENT
    reason = "CONFIG_INVALID"

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = in_order(problems)
        self.warnings = in_order(warnings)
        super().__init__("\n".join(map(str, self.problems)), problems=str(len(self.problems)))
