"""Why a plugin was not packed or installed."""

from grpc import StatusCode

from hector_mesh import HectorError


class PackageRefused(HectorError):
    """A package, or what is to become one, is not as it has to be. Nothing was written."""

    code, reason = StatusCode.INVALID_ARGUMENT, "PLUGIN_PACKAGE_REFUSED"
