"""Which version of A2A a client speaks: what it says, and how it spells the method, must agree."""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

import hector_a2a as a2a
from hector_a2a import v03

Version = Literal["1.0", "0.3"]
SUPPORTED: tuple[Version, ...] = ("1.0", "0.3")

_UNSAID = " (no A2A-Version means 0.3)"

_number = re.compile(r"(\d+\.\d+)(?:\.\d+)*", re.ASCII).fullmatch


def spelled(method: str) -> Version:
    """Return the version whose spelling a method has."""
    return "0.3" if "/" in method else "1.0"


def said(found: str | None, served: Sequence[Version] = SUPPORTED) -> Version | None:
    """Return the version that a client names; None if it names none. The patch number says nothing.

    Raises:
        VersionNotSupported: It names another one.
    """
    if not found:
        return None
    match = _number(found.strip())
    for version in served:
        if match and match[1] == version:
            return version
    raise not_served(found[:40], served)


def check(version: Version, served: Sequence[Version], *, is_said: bool = True) -> None:
    """Let a version pass that is served.

    Raises:
        VersionNotSupported: It is not.
    """
    if version not in served:
        raise not_served(version, served, is_said=is_said)


def not_served(found: str, served: Sequence[Version], *, is_said: bool = True) -> a2a.VersionNotSupported:
    """Return the error for a version that is not served."""
    unsaid = "" if is_said else _UNSAID
    message = f"A2A {found!r}{unsaid} is not served here (served: {', '.join(served)})"
    return a2a.VersionNotSupported(message, found=found, supported=served)


@lru_cache(maxsize=256)  # of what was agreed on: what was refused is not kept
def agreed(
    found: str | None, method: str, *, lenient: bool = False, served: tuple[Version, ...] = SUPPORTED
) -> Version:
    """Return the version to speak.

    Args:
        found: The header or query parameter A2A-Version; None or empty means 0.3, as A2A says.
        method: The method's name.
        lenient: Let the method decide when the client does not say.
        served: What there is to choose from.

    Raises:
        VersionNotSupported: Another version, or a method that this version spells otherwise.
    """
    wanted, spelling = said(found, served), spelled(method)
    if wanted is None and lenient:
        check(spelling, served, is_said=False)
        return spelling
    version = wanted or "0.3"
    if version == spelling:
        check(version, served, is_said=bool(wanted))
        return version
    if spelling == "1.0":
        how = "send the header `A2A-Version: 1.0` with it"
    else:
        how = f"in A2A 1.0 it is called {v03.METHODS.get(method, 'otherwise')}"
    unsaid = "" if wanted else _UNSAID
    message = f"{method} is a method of A2A {spelling}, and the request is A2A {version}{unsaid}; {how}"
    raise a2a.VersionNotSupported(message, found=version, supported=served)


def agreed_at(
    found: str | None, spoken: Version | None, path: str, served: Sequence[Version] = SUPPORTED
) -> Version:
    """Return the version to speak at a path of HTTP+JSON.

    Args:
        found: The header or query parameter A2A-Version; None or empty means 0.3, as A2A says.
        spoken: The version whose path it is; None: that of either.
        path: What the client asked for.
        served: What there is to choose from.

    Raises:
        VersionNotSupported: Another version, or a path of another one.
    """
    wanted = said(found, served)
    version = wanted or "0.3"
    if spoken is None or version == spoken:
        check(version, served, is_said=bool(wanted))
        return version
    if spoken == "1.0":
        how = "send the header `A2A-Version: 1.0` with it, or put v1/ before the operation"
    else:
        how = "in A2A 1.0 the path has no v1/"
    unsaid = "" if wanted else _UNSAID
    message = f"{path[:200]!r} is a path of A2A {spoken}, and the request is A2A {version}{unsaid}; {how}"
    raise a2a.VersionNotSupported(message, found=version, supported=served)
