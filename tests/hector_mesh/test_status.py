"""What a refused call carries, with the packages that define it on the other side."""

import os
import subprocess
import sys

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode
from grpc.aio import AioRpcError, Metadata

from hector_mesh import HectorError, info_of, status_of
from hector_mesh.errors import refusal
from hector_mesh.status import STATUS_DETAILS, info_in, retry_after_s, retry_hint_in

OTHERS = """
from google.protobuf import descriptor_pb2, descriptor_pool
for name, package, message in (
    ("google/rpc/status.proto", "google.rpc", "Status"),
    ("google/rpc/error_details.proto", "google.rpc", "ErrorInfo"),
    ("grpc_health/v1/health.proto", "grpc.health.v1", "HealthCheckRequest"),
):
    file = descriptor_pb2.FileDescriptorProto(name=name, package=package)
    file.message_type.add(name=message).field.add(name="of_another_version", number=1, type=3, label=1)
    descriptor_pool.Default().AddSerializedFile(file.SerializeToString())
"""
"""Makes the names of google.rpc and grpc.health.v1 known as a version has them that there never was."""

OURS = "import hector_plugin, hector_plugin.conformance, hector_mesh.health"

REFUSED = """
from hector_mesh import info_of
from hector_plugin.errors import ToolNotFound
print(info_of(ToolNotFound("no", tool="x")).metadata["tool"])
"""


class Away(HectorError):
    code = StatusCode.UNAVAILABLE
    reason = "AWAY"
    retry_after_s = 2.25


def googles(error):
    """Return an error as a status of google.rpc's own making."""
    info = error_details_pb2.ErrorInfo(reason=error.reason, domain=error.domain, metadata=error.facts)
    hint = error_details_pb2.RetryInfo()
    hint.retry_delay.FromMilliseconds(round(error.retry_after_s * 1000))
    status = status_pb2.Status(code=error.code.value[0], message=str(error))
    for part in (info, hint) if error.retry_after_s else (info,):
        status.details.add().Pack(part)
    return status


def test_a_refusal_is_byte_for_byte_that_of_google_rpc():
    error = Away("gone", role="größer ☂")
    code, text, ((name, told),) = refusal(error)
    assert (code, text, name) == (StatusCode.UNAVAILABLE, "gone", STATUS_DETAILS)
    assert told == googles(error).SerializeToString(deterministic=True)


def test_details_by_somebody_else_are_read_and_what_is_not_known_is_kept():
    status = googles(Away("gone", role="llm"))
    status.details.insert(0, AnyMessage())
    status.details[0].Pack(error_details_pb2.DebugInfo(detail="theirs"))
    status.details[1].type_url = "types.example.com/google.rpc.ErrorInfo"
    trailers = Metadata((STATUS_DETAILS, status.SerializeToString()))
    error = AioRpcError(StatusCode.UNAVAILABLE, Metadata(), trailers, "gone")
    assert (info_of(error).reason, dict(info_of(error).metadata)) == ("AWAY", {"role": "llm"})
    assert retry_after_s(status_of(error)) == 2.25
    assert status_of(error).SerializeToString() == status.SerializeToString()


def test_nobody_says_why_or_when():
    status = status_of(AioRpcError(StatusCode.UNAVAILABLE, Metadata(), Metadata(), "gone"))
    assert (info_in(status).reason, retry_after_s(status), retry_hint_in(status)) == ("", 0.0, None)


@pytest.mark.parametrize("order", ["theirs first", "ours first"])
def test_packages_of_any_version_have_their_names_for_themselves(order):
    parts = (OTHERS, OURS) if order == "theirs first" else (OURS, OTHERS)
    script = "\n".join((*parts, REFUSED))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=os.environ, check=False
    )
    assert (done.stdout, done.stderr) == ("x\n", "")
