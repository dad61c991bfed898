from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from crowdsight.search.attributes import NO_ATTRIBUTES, Attributes
from crowdsight.search.index import Filter

SCORES = st.sampled_from([0.0, 0.25, 0.5, 0.1, 0.7, 1.0])
ENTRIES = st.lists(
    st.tuples(st.integers(0, 5), st.dictionaries(st.sampled_from(["cat", "dog", "ö"]), SCORES)), max_size=8
)
FILTERS = st.builds(
    Filter,
    label=st.sampled_from([None, "cat", "dog", "horse"]),
    min_label_score=SCORES,
    since_ms=st.none() | st.integers(0, 6),
    before_ms=st.none() | st.integers(0, 6),
)


def attributes_of(entries: list[tuple[int, dict[str, float]]]) -> Attributes:
    return Attributes.of([time_ms for time_ms, _ in entries], [labels for _, labels in entries])


def entries_in(attributes: Attributes) -> list[tuple[int, dict[str, float]]]:
    """What it holds, entry by entry."""
    labels: list[dict[str, float]] = [{} for _ in attributes.times_ms]
    for row, name, score in zip(attributes.pair_rows, attributes.pair_names, attributes.pair_scores, strict=True):
        labels[row][attributes.names[name]] = float(score)
    return list(zip(attributes.times_ms.tolist(), labels, strict=True))


def rounded(entries: list[tuple[int, dict[str, float]]]) -> list[tuple[int, dict[str, float]]]:
    """Scores as they are kept."""
    return [(time_ms, {name: float(np.float32(score)) for name, score in each.items()}) for time_ms, each in entries]


@given(ENTRIES, FILTERS)
def test_a_filter_allows_the_same_rows_as_entries(entries: list[tuple[int, dict[str, float]]], where: Filter) -> None:
    expected = [where.allows("key", labels, time_ms) for time_ms, labels in entries]
    assert attributes_of(entries).allowed(where).tolist() == expected


@given(ENTRIES, st.data())
def test_rows_are_taken_with_their_labels_in_any_order(
    entries: list[tuple[int, dict[str, float]]], data: st.DataObject
) -> None:
    attributes = attributes_of(entries)
    chosen = data.draw(st.permutations(range(len(entries))).map(lambda order: order[: len(order) // 2 + 1]))
    taken = attributes.take(np.array(chosen, np.int64))
    assert entries_in(taken) == rounded([entries[at] for at in chosen])
    assert (np.diff(taken.pair_rows) >= 0).all()
    assert list(taken.names) == sorted({name for at in chosen for name in entries[at][1]})
    mask = np.array([at in chosen for at in range(len(entries))], np.bool_)
    assert entries_in(attributes.take(mask)) == rounded([entries[at] for at in sorted(chosen)])


@given(st.lists(ENTRIES, max_size=4))
def test_joined_rows_follow_each_other(parts: list[list[tuple[int, dict[str, float]]]]) -> None:
    joined = Attributes.joined([attributes_of(part) for part in parts])
    assert entries_in(joined) == rounded([entry for part in parts for entry in part])


@given(ENTRIES)
def test_attributes_are_the_same_after_they_were_arrays(entries: list[tuple[int, dict[str, float]]]) -> None:
    arrays: dict[str, Any] = attributes_of(entries).arrays()
    assert entries_in(Attributes.from_arrays(arrays)) == rounded(entries)


def test_more_different_labels_than_16_bits_can_number_stay_apart() -> None:
    entries = [(0, {f"{number:05}": 0.5}) for number in range(70_000)]
    read = Attributes.from_arrays(attributes_of(entries).arrays())
    assert read.allowed(Filter(label="69999")).nonzero()[0].tolist() == [69_999]
    assert entries_in(read) == entries


def test_labels_that_were_written_in_16_bits_can_be_read() -> None:
    entries = [(1, {"cat": 0.5, "dog": 0.25}), (2, {"dog": 1.0})]
    arrays = attributes_of(entries).arrays()
    assert (
        entries_in(Attributes.from_arrays({**arrays, "pair_names": arrays["pair_names"].astype(np.uint16)})) == entries
    )


def test_of_nothing_there_is_nothing() -> None:
    assert entries_in(NO_ATTRIBUTES) == entries_in(Attributes.joined([])) == []
    assert NO_ATTRIBUTES.allowed(Filter(label="dog")).tolist() == []
