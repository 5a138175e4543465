"""What a webhook may be, as far as that can be told without looking its name up."""

import re
from collections.abc import Collection
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

import hector_a2a as a2a
from hector_a2a.push_config import PushConfig
from hector_store import NewPush, new_id

from .notice import V03
from .secrets import kept

MOST_URL, MOST_ID, MOST_SECRET = 2048, 128, 4096
_visible = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?").fullmatch
_scheme = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}").fullmatch


def checked(
    config: "a2a.TaskPushNotificationConfig",
    settings: PushConfig,
    *,
    version: str,
    task_id: str,
    traceparent: str,
    path: str = "",
) -> NewPush:
    """Return a config to keep.

    Args:
        config: What the client wants.
        settings: What is allowed.
        version: Of A2A, that the client speaks: notifications are in it, too.
        task_id: The task, which names the config of a client of 0.3 that does not.
        traceparent: Of the client's call.
        path: Where the config stands in the request, for errors.

    Raises:
        InvalidParams: With what is wrong, by field.
    """
    wrong = {
        f"{path}{field}": why
        for field, why in (
            ("url", _wrong_url(config.url, settings.allow_http, settings.allowed_networks)),
            ("id", _wrong_id(config.id)),
            ("token", _wrong_value(config.token)),
            ("authentication.credentials", _wrong_value(config.authentication.credentials)),
            ("authentication.scheme", _wrong_scheme(config)),
        )
        if why
    }
    if wrong:
        raise a2a.InvalidParams(wrong)
    unnamed = task_id if version == V03 else new_id()
    return NewPush(
        id=config.id or unnamed,
        url=config.url,
        secret=kept(config),
        dialect=version,
        traceparent=traceparent if len(traceparent) <= MOST_ID else "",
    )


def _wrong_url(url: str, allow_http: bool, allowed: Collection[str]) -> str:
    if not url:
        return "is required"
    if len(url) > MOST_URL:
        return f"may have at most {MOST_URL} characters"
    try:
        found = urlsplit(url)
        host, port = found.hostname or "", found.port
    except ValueError:
        return "is no URL"
    if found.scheme not in ("", "http", "https"):
        return f"must begin with https://, and not with {found.scheme}:"
    if not found.scheme or not host or port == 0 or not _visible(url) or " " in url:
        return "must be an absolute URL, as https://example.org/hook"
    if found.scheme == "http" and not allow_http:
        return "must begin with https://"
    if found.username is not None or found.password is not None:
        return "must not hold a name or password; send them as authentication"
    if found.fragment:
        return "must not have a fragment (#)"
    return _wrong_host(host, allowed)


def _wrong_host(host: str, allowed: Collection[str]) -> str:
    """Say what is wrong with a host that needs no looking up; others are checked when they are called."""
    try:
        address = ip_address(host)
    except ValueError:
        is_here = host == "localhost" or host.endswith(".localhost")
        if not is_here:
            return ""
        address = ip_address("127.0.0.1")
    from hector_http import why_refused  # late: most servers have no webhooks

    why = why_refused(str(address), [ip_network(one) for one in allowed])
    return f"leads to an address that is {why}, which is not allowed" if why else ""


def _wrong_id(config_id: str) -> str:
    if len(config_id) > MOST_ID:
        return f"may have at most {MOST_ID} characters"
    return "must be visible ASCII characters" if config_id and not _visible(config_id) else ""


def _wrong_value(text: str) -> str:
    if len(text) > MOST_SECRET:
        return f"may have at most {MOST_SECRET} characters"
    return "must be visible ASCII characters: it is sent as a header" if text and not _visible(text) else ""


def _wrong_scheme(config: "a2a.TaskPushNotificationConfig") -> str:
    if not config.HasField("authentication"):
        return ""
    if not config.authentication.scheme:
        return "is required, as Bearer"
    return "" if _scheme(config.authentication.scheme) else "must be one word, as Bearer"
