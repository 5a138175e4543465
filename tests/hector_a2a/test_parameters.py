"""What a client says beside its request, read from metadata."""

from hector_a2a.parameters import NONE, Parameters


def test_metadata_without_parameters_says_nothing():
    assert Parameters.read(None) is NONE
    assert Parameters.read((("hector-request-id", "r"),)) is NONE


def test_extensions_are_uris_between_commas_each_once():
    said = (
        ("a2a-extensions", " https://a.example/x ,https://b.example/y,,"),
        ("x-a2a-extensions", "https://a.example/x"),
    )
    assert Parameters.read(said).extensions == ("https://a.example/x", "https://b.example/y")


def test_a_key_and_a_place_are_read_as_they_are():
    found = Parameters.read((("idempotency-key", "k 1"), ("last-event-id", "7.12")))
    assert (found.idempotency_key, found.last_event_id) == ("k 1", "7.12")
