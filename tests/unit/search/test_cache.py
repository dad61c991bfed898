from collections.abc import Sequence
from dataclasses import dataclass

from crowdsight.search.cache import Cache


@dataclass(frozen=True)
class Thing:
    nbytes: int


def fill(cache: Cache, of: str, *wanted: int) -> list[int]:
    """Which had to be loaded."""
    loaded: list[int] = []

    def load(missing: Sequence[int]) -> list[Thing]:
        loaded.extend(missing)
        return [Thing(10) for _ in missing]

    cache.get_many(of, wanted, load)
    return loaded


def test_it_counts_what_is_kept_of_a_kind_and_forgets_a_kind() -> None:
    cache = Cache(1000)
    fill(cache, "a", 1, 4, 7)
    fill(cache, "b", 1)
    fill(cache, "a", 4, 5)
    assert (cache.count("a"), cache.count("b"), cache.count("c")) == (4, 1, 0)
    cache.forget("a", 8)
    assert (cache.count("a"), cache.count("b")) == (0, 1)
    assert fill(cache, "a", 4) == [4]
    assert cache.peek("b") is None and cache.get("b", lambda: Thing(1)) == Thing(1)


def test_what_made_room_is_not_counted() -> None:
    cache = Cache(35)
    fill(cache, "a", 1, 2, 3)
    fill(cache, "a", 1)
    assert fill(cache, "b", 1) == [1]
    assert (cache.count("a"), cache.count("b")) == (2, 1)
    assert fill(cache, "a", 1, 3) == []
    assert fill(cache, "a", 2) == [2]
    assert cache.count("a") + cache.count("b") == 3


def test_what_is_peeked_at_counts_as_used() -> None:
    cache = Cache(25)
    cache.get("a", lambda: Thing(10))
    cache.get("b", lambda: Thing(10))
    assert cache.peek("a") == Thing(10)
    cache.get("c", lambda: Thing(10))
    assert cache.peek("a") and not cache.peek("b")


def test_it_tells_whether_all_of_several_are_kept() -> None:
    cache = Cache(1000)
    fill(cache, "a", 1, 4)
    assert cache.has("a", [4, 1]) and cache.has("a", []) and cache.has("b", [])
    assert not cache.has("a", [1, 2]) and not cache.has("b", [1])
