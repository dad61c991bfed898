import numpy as np
import pytest

from crowdsight.search.cells import divide, sums_of
from crowdsight.search.neighbour_sample import NeighbourSample
from crowdsight.search.regrouping import merged, regrouped
from crowdsight.search.rows import NO_CELL
from crowdsight.search.vectors import half_unit, single

CELL_ROWS, GROUP_ROWS = 100, 12


def clusters_of(count: int, clusters: int, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """Vectors, and which cluster each is of."""
    random = np.random.default_rng(20)
    middles = random.normal(size=(clusters, size)) / np.sqrt(size)
    cluster_of = random.integers(0, clusters, count)
    vectors = middles[cluster_of] + 0.7 * random.normal(size=(count, size)) / np.sqrt(size)
    return half_unit(vectors.astype(np.float32)), cluster_of


def share_at_home(cell_of: np.ndarray, cluster_of: np.ndarray) -> float:
    """Which share of the vectors is in the cell that has most of their cluster."""
    is_in_one = cell_of != NO_CELL
    pairs, counts = np.unique(np.stack([cluster_of, cell_of])[:, is_in_one], axis=1, return_counts=True)
    most = np.zeros(cluster_of.max() + 1)
    np.maximum.at(most, pairs[0], counts)
    return float(most.sum()) / is_in_one.sum()


def to_search(sample: NeighbourSample, rows: np.ndarray, cell_of: np.ndarray) -> float:
    others = np.flatnonzero(cell_of != NO_CELL)
    return sample.share_to_search(cell_of, sums_of(single(rows[others]), cell_of[others]), 0.99)


def test_clusters_that_were_scattered_over_cells_are_gathered_and_less_is_to_be_searched() -> None:
    rows, cluster_of = clusters_of(20_000, 1000)
    sample = NeighbourSample.of(rows)
    scattered = divide(rows, 200, left_out=sample.rows)
    gathered = regrouped(rows, regrouped(rows, scattered, 200, GROUP_ROWS), 200, GROUP_ROWS)
    assert (gathered[sample.rows] == NO_CELL).all()
    assert share_at_home(scattered, cluster_of) < 0.8
    assert share_at_home(gathered, cluster_of) > 0.95
    assert to_search(sample, rows, gathered) < to_search(sample, rows, scattered) / 5


@pytest.mark.parametrize("count", [1, 2, GROUP_ROWS, 1000])
def test_every_vector_is_in_one_cell_and_no_cell_is_empty(count: int) -> None:
    rows, _ = clusters_of(count, 40)
    cell_of = regrouped(rows, np.arange(count, dtype=np.int32) * 3 // count, 20, GROUP_ROWS)
    assert cell_of.shape == (count,) and np.bincount(cell_of).min() >= 1


def test_cells_are_not_much_larger_than_they_should_be() -> None:
    rows, _ = clusters_of(10_000, 500)
    sizes = np.bincount(regrouped(rows, divide(rows, CELL_ROWS), CELL_ROWS, GROUP_ROWS))
    assert np.quantile(sizes, 0.95) <= 2 * CELL_ROWS


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("vector", [[0.0, 0.0], [0.6, 0.8]])
def test_vectors_that_are_all_alike_or_of_no_length_are_regrouped_without_a_warning(vector: list[float]) -> None:
    rows = half_unit(np.tile(np.array(vector, np.float32), (500, 1)))
    cell_of = regrouped(rows, np.arange(500, dtype=np.int32) % 4, 20, GROUP_ROWS)
    assert np.bincount(cell_of).min() >= 1 and np.bincount(cell_of).sum() == 500


def test_vectors_that_are_each_a_group_of_its_own_are_regrouped_by_where_they_point() -> None:
    rows, cluster_of = clusters_of(600, 6)
    cell_of = regrouped(rows, np.arange(600, dtype=np.int32), 100, GROUP_ROWS)
    assert share_at_home(cell_of, cluster_of) > 0.6


def test_the_small_cells_of_a_cluster_become_one_and_no_cell_too_large() -> None:
    rows, cluster_of = clusters_of(3000, 10)
    cell_of = (cluster_of * 20 + np.arange(3000) % 20).astype(np.int32)
    cell_of[::7] = NO_CELL
    has_cell = cell_of != NO_CELL
    counts = np.bincount(cell_of[has_cell]).astype(np.float32)
    middles = sums_of(single(rows[has_cell]), cell_of[has_cell]) / counts[:, np.newaxis]
    for cell_rows in (20, 100, 1000):
        new_cell_of, new_middles = merged(cell_of, middles, cell_rows)
        assert (new_cell_of == NO_CELL).tolist() == (~has_cell).tolist()
        sizes = np.bincount(new_cell_of[has_cell])
        assert len(sizes) == len(new_middles) and sizes.min() >= 1 and sizes.max() <= 2 * cell_rows
        assert len(sizes) <= 2 * 10 * max(1, 258 / (2 * cell_rows))
        assert len(np.unique(np.stack([new_cell_of, cluster_of])[:, has_cell], axis=1)[0]) == len(sizes)
        sums = sums_of(single(rows[has_cell]), new_cell_of[has_cell])
        np.testing.assert_allclose(new_middles * sizes[:, np.newaxis], sums, atol=1e-3)


def test_cells_that_point_elsewhere_stay_apart() -> None:
    middles = np.eye(4, dtype=np.float32)
    cell_of = np.arange(40, dtype=np.int32) % 4
    new_cell_of, new_middles = merged(cell_of, middles, 100)
    assert (new_cell_of == cell_of).all() and (new_middles == middles).all()


def test_regrouping_is_always_the_same() -> None:
    rows, _ = clusters_of(3000, 100)
    cell_of = divide(rows, 50)
    assert (regrouped(rows, cell_of, 50, GROUP_ROWS) == regrouped(rows, cell_of, 50, GROUP_ROWS)).all()
