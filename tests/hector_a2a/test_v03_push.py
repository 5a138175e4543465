"""Push notification configs of A2A 0.3 as those of 1.0, and back."""

from typing import Any

import pytest

from hector_a2a import InvalidParams, v03, v03_push

OLD: dict[str, Any] = {
    "id": "c",
    "url": "https://x.test/",
    "token": "t",
    "authentication": {"schemes": ["Bearer", "Basic"], "credentials": "s"},
}
NEW: dict[str, Any] = {
    "id": "c",
    "url": "https://x.test/",
    "token": "t",
    "authentication": {"scheme": "Bearer", "credentials": "s"},
}
NAME = "tasks/t/pushNotificationConfigs/c"
WITHOUT_ID = {name: value for name, value in OLD.items() if name != "id"}


@pytest.mark.parametrize(
    "found",
    [
        {"taskId": "t", "pushNotificationConfig": OLD},
        {"parent": "tasks/t", "configId": "c", "config": {"pushNotificationConfig": WITHOUT_ID}},
        {"config": {"name": NAME, "pushNotificationConfig": OLD}},
        {"config": {"name": NAME, "push_notification_config": WITHOUT_ID}},
        {"name": NAME, "pushNotificationConfig": OLD},
    ],
    ids=["objects", "request of the proto", "its body", "its body, in its own names", "the config alone"],
)
def test_a_config_means_the_same_however_it_is_wrapped(found: dict[str, Any]) -> None:
    assert v03.request_to_v1(v03_push.SET, found) == {"taskId": "t", **NEW}


def test_a_message_brings_the_same() -> None:
    params = {"message": {"kind": "message"}, "configuration": {"pushNotificationConfig": OLD}}
    found = v03.request_to_v1("message/send", params)
    assert found["configuration"]["taskPushNotificationConfig"] == NEW


def test_who_names_no_config_means_the_one_named_like_the_task() -> None:
    assert v03.request_to_v1(v03_push.GET, {"id": "t"}) == {"taskId": "t", "id": "t"}
    named = {"id": "t", "pushNotificationConfigId": "c"}
    assert v03.request_to_v1(v03_push.GET, named) == {"taskId": "t", "id": "c"}
    assert v03.request_to_v1(v03_push.DELETE, named) == {"taskId": "t", "id": "c"}
    assert v03.request_to_v1(v03_push.LIST, {"id": "t"}) == {"taskId": "t"}
    assert v03.request_to_v1(v03_push.LIST, {"pageSize": 3}) == {"pageSize": 3}, "the path has the id"


@pytest.mark.parametrize(
    ("found", "field"),
    [
        ({"taskId": "t"}, "pushNotificationConfig"),
        ({"taskId": "t", "pushNotificationConfig": "x"}, "pushNotificationConfig"),
        ({"config": []}, "config"),
        (
            {"pushNotificationConfig": {"url": "u", "authentication": 3}},
            "pushNotificationConfig.authentication",
        ),
        (
            {"pushNotificationConfig": {"url": "u", "authentication": {"schemes": []}}},
            "pushNotificationConfig.authentication.schemes",
        ),
    ],
)
def test_what_has_another_shape_is_named(found: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidParams) as refused:
        v03.request_to_v1(v03_push.SET, found)
    assert list(refused.value.facts) == [field]


def test_answers_are_shown_in_both_dialects() -> None:
    config = {"taskId": "t", "id": "c", "url": "u", "authentication": {"scheme": "Bearer"}}
    shown = {"id": "c", "url": "u", "authentication": {"schemes": ["Bearer"]}}
    assert v03.result_from_v1(v03_push.GET, config) == {"taskId": "t", "pushNotificationConfig": shown}
    assert v03_push.as_proto(v03_push.GET, config) == {"name": NAME, "pushNotificationConfig": shown}
    assert v03.result_from_v1(v03_push.LIST, {"configs": [config]}) == [
        {"taskId": "t", "pushNotificationConfig": shown}
    ]
    assert v03_push.as_proto(v03_push.LIST, {"configs": [config], "nextPageToken": "n"}) == {
        "configs": [{"name": NAME, "pushNotificationConfig": shown}],
        "nextPageToken": "n",
    }
    assert v03.result_from_v1(v03_push.LIST, {}) == []
    assert (v03.result_from_v1(v03_push.DELETE, {}), v03_push.as_proto(v03_push.DELETE, {})) == (None, {})


@pytest.mark.parametrize(
    ("found", "proto"), [({"config": {}}, True), ({"pushNotificationConfig": {}}, False)]
)
def test_the_dialect_of_a_body_is_told_by_its_members(found: dict[str, Any], proto: bool) -> None:
    assert v03_push.is_proto(found) == proto
