import numpy as np
import pytest

from crowdsight.search import cells
from crowdsight.search.cells import divide, divide_large, half_squares, members_of, parts, rows_of_a_cell, sums_of
from crowdsight.search.rows import NO_CELL
from crowdsight.search.vectors import half_unit, single


def clustered(count: int, clusters: int = 20, size: int = 16) -> np.ndarray:
    random = np.random.default_rng(4)
    middles = random.normal(size=(clusters, size))
    vectors = middles[random.integers(0, clusters, count)] + 0.2 * random.normal(size=(count, size))
    return half_unit(vectors.astype(np.float32))


@pytest.mark.parametrize("count", [1, 5, 100, 3000])
@pytest.mark.parametrize("cell_rows", [1, 7, 50])
def test_every_vector_is_in_one_cell_no_cell_is_empty_and_none_too_large(count: int, cell_rows: int) -> None:
    cell_of = divide(clustered(count), cell_rows)
    sizes = np.bincount(cell_of)
    assert len(cell_of) == sizes.sum() == count
    assert sizes.min() >= 1 and sizes.max() <= 2 * cell_rows


def test_identical_vectors_are_divided_nevertheless() -> None:
    rows = np.repeat(clustered(2), [900, 3], axis=0)
    sizes = np.bincount(divide(rows, 10))
    assert sizes.sum() == 903 and sizes.min() >= 1 and sizes.max() <= 20


def test_near_vectors_share_cells() -> None:
    rows = clustered(2000)
    cell_of = divide(rows, 50)
    numbers = single(rows)
    middles = np.stack([numbers[cell_of == cell].mean(axis=0) for cell in range(cell_of.max() + 1)])
    within = np.square(numbers - middles[cell_of]).sum()
    assert within < 0.5 * np.square(numbers - numbers.mean(axis=0)).sum()


def test_a_division_is_always_the_same() -> None:
    rows = clustered(1000)
    assert (divide(rows, 20) == divide(rows, 20)).all()


def former_cells(rows: np.ndarray, parts: int) -> np.ndarray:
    """The cells in which the rows are when each of some parts is divided by itself."""
    former = np.empty(len(rows), np.int32)
    first = 0
    for some in np.array_split(np.arange(len(rows)), parts):
        former[some] = first + divide(rows[some], rows_of_a_cell(len(some)))
        first = former[some].max() + 1
    return former


def spread(rows: np.ndarray, cell_of: np.ndarray) -> float:
    """The squared distances from the middles of the cells, together."""
    numbers = single(rows)
    sums = np.zeros((cell_of.max() + 1, numbers.shape[1]), np.float32)
    np.add.at(sums, cell_of, numbers)
    middles = sums / np.bincount(cell_of)[:, np.newaxis]
    return float(np.square(numbers - middles[cell_of]).sum())


@pytest.mark.parametrize("clusters", [20, 400])
def test_cells_made_of_former_cells_are_as_good_as_those_made_anew(clusters: int) -> None:
    rows = clustered(12_000, clusters, 32)
    anew = divide(rows, rows_of_a_cell(len(rows)))
    merged = divide(rows, rows_of_a_cell(len(rows)), former_cells(rows, 4))
    sizes = np.bincount(merged)
    assert sizes.sum() == len(rows) and sizes.min() >= 1 and sizes.max() <= 2 * rows_of_a_cell(len(rows))
    assert spread(rows, merged) < 1.05 * spread(rows, anew)


def test_rows_that_were_in_no_cell_are_divided_with_the_others() -> None:
    rows = clustered(12_000, 100, 32)
    former = former_cells(rows, 4)
    former[::3] = NO_CELL
    merged = divide(rows, rows_of_a_cell(len(rows)), former)
    assert spread(rows, merged) < 1.05 * spread(rows, divide(rows, rows_of_a_cell(len(rows))))
    assert (divide(rows, 100, np.full(len(rows), NO_CELL, np.int32)) == divide(rows, 100)).all()


def test_dividing_by_former_cells_compares_so_many_pairs_a_row_however_many_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compared = 0
    nearest = cells.nearest_of

    def counting(vectors: np.ndarray, middles: np.ndarray) -> np.ndarray:
        nonlocal compared
        compared += len(vectors) * len(middles)
        return nearest(vectors, middles)

    monkeypatch.setattr(cells, "nearest_of", counting)
    a_row = {}
    for count in (10_000, 40_000):
        rows = clustered(count, 200, 8)
        former = np.arange(count, dtype=np.int32) // rows_of_a_cell(count)
        compared = 0
        divide(rows, rows_of_a_cell(count), former)
        a_row[count] = compared / count
    assert a_row[40_000] < 1.1 * a_row[10_000]


def test_cells_are_about_as_many_as_vectors_in_a_cell() -> None:
    assert [rows_of_a_cell(count) for count in (1, 10_000, 1_000_000)] == [1, 100, 1000]


def test_rows_that_are_left_out_are_in_no_cell_and_change_none() -> None:
    rows = clustered(1000)
    left_out = np.arange(0, 1000, 10)
    cell_of = divide(rows, 50, left_out=left_out)
    assert (np.flatnonzero(cell_of == NO_CELL) == left_out).all()
    others = np.delete(np.arange(1000), left_out)
    assert (cell_of[others] == divide(rows[others], 50)).all()
    assert (divide_large(rows, cell_of, 50) == cell_of)[left_out].all()
    members = members_of(cell_of)
    assert [set(cell_of[some]) for some in members] == [{cell} for cell in range(len(members))]


def test_only_cells_that_are_too_large_are_divided_further() -> None:
    rows = clustered(1000)
    cell_of = np.repeat(np.array([2, 0, 1], np.int32), [60, 900, 40])
    again = divide_large(rows, cell_of, 50)
    sizes = np.bincount(again)
    assert sizes.sum() == 1000 and sizes.min() >= 1 and sizes.max() <= 100
    assert len(set(again[:60])) == len(set(again[960:])) == 1
    assert len({again[0], again[960], *again[60:960]}) == len(sizes)


def test_the_greatest_product_less_half_the_square_is_the_nearest_middle() -> None:
    random = np.random.default_rng(5)
    middles, vectors = (random.normal(size=(count, 8)).astype(np.float32) for count in (30, 50))
    nearest = (vectors @ middles.T - half_squares(middles)).argmax(axis=1)
    assert (nearest == np.square(vectors[:, np.newaxis] - middles).sum(axis=2).argmin(axis=1)).all()


def test_members_are_parted_and_vectors_summed_by_the_numbers_of_their_parts() -> None:
    part_of = np.array([3, 1, 3, 1, 6])
    assert [part.tolist() for part in parts(np.arange(10, 15), part_of)] == [[11, 13], [10, 12], [14]]
    vectors = np.arange(10, dtype=np.float32).reshape(5, 2)
    assert sums_of(vectors, part_of).tolist() == [[8, 10], [4, 6], [8, 9]]
