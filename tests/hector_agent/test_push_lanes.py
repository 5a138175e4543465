"""Ours: whose webhook is slow or gone holds up nobody else's."""

from hector_agent.push.lanes import Lane, Lanes, origin_of
from hector_store import PushKey


def lane(origin: str, number: int = 0, *, is_failing: bool = False) -> Lane:
    return Lane(PushKey(f"{origin}-{number}", "c", 1), origin, is_failing=is_failing)


def test_receivers_take_turns_however_much_each_has_to_be_told() -> None:
    lanes = Lanes(64)
    many = [lane("a", number) for number in range(5)]
    for one in (*many, lane("b"), lane("c")):
        lanes.add(one)
    taken = [lanes.take() for _ in range(4)]
    assert [one.origin for one in taken if one] == ["a", "b", "c", "a"]


def test_one_receiver_has_an_eighth_of_the_places() -> None:
    lanes = Lanes(16)
    for number in range(5):
        lanes.add(lane("a", number))
    taken = [lanes.take() for _ in range(3)]
    assert [one is None for one in taken] == [False, False, True]
    lanes.add(lane("b"))
    other = lanes.take()
    assert other is not None
    assert other.origin == "b"
    assert taken[0] is not None
    lanes.done(taken[0])
    assert lanes.take() is not None


def test_what_failed_before_has_half_of_the_places() -> None:
    lanes = Lanes(4)
    for number in range(4):
        lanes.add(lane(f"down-{number}", is_failing=True))
    assert [lanes.take() is None for _ in range(3)] == [False, False, True]
    lanes.add(lane("well"))
    found = lanes.take()
    assert found is not None
    assert found.origin == "well"
    assert lanes.are_waited_for()


def test_there_are_so_many_places_and_no_more() -> None:
    lanes = Lanes(2)
    for number in range(3):
        lanes.add(lane(f"r{number}"))
    first, second = lanes.take(), lanes.take()
    assert first is not None
    assert second is not None
    assert lanes.take() is None
    lanes.resize(3)
    assert lanes.take() is not None
    for one in (first, second):
        lanes.done(one)
    assert not lanes.are_waited_for()
    assert lanes.take() is None


def test_an_origin_is_host_and_port() -> None:
    assert origin_of("https://Hooks.Example:8443/a?b=c") == "hooks.example:8443"
