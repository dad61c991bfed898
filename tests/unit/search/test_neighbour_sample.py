import numpy as np
import pytest

from crowdsight.search.cells import divide, sums_of
from crowdsight.search.neighbour_sample import NEIGHBOURS, QUERIES, NeighbourSample
from crowdsight.search.rows import NO_CELL
from crowdsight.search.vectors import half_unit, single
from tests.unit.search.test_cells import clustered


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    return clustered(3 * QUERIES)


@pytest.fixture(scope="module")
def sample(rows: np.ndarray) -> NeighbourSample:
    return NeighbourSample.of(rows)


@pytest.fixture(scope="module")
def cell_of(rows: np.ndarray, sample: NeighbourSample) -> np.ndarray:
    return divide(rows, 20, left_out=sample.rows)


@pytest.fixture(scope="module")
def middles(rows: np.ndarray, cell_of: np.ndarray) -> np.ndarray:
    sums = sums_of(single(rows[cell_of != NO_CELL]), cell_of[cell_of != NO_CELL])
    return sums / np.bincount(cell_of[cell_of != NO_CELL])[:, np.newaxis].astype(np.float32)


def nearest(sample: NeighbourSample, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows, that are no queries, nearest to each query, and their scores."""
    scores = sample.queries @ single(rows).T
    scores[:, sample.rows] = -np.inf
    found = np.argsort(-scores, axis=1)[:, :NEIGHBOURS]
    return found, np.take_along_axis(scores, found, axis=1)


def test_each_query_has_its_nearest_others(rows: np.ndarray, sample: NeighbourSample) -> None:
    assert (sample.queries == single(rows[sample.rows])).all()
    assert len(set(sample.rows.tolist())) == QUERIES
    found, scores = nearest(sample, rows)
    assert (np.sort(sample.neighbours, axis=1) == np.sort(found, axis=1)).all()
    np.testing.assert_allclose(np.sort(sample.scores), np.sort(scores), atol=1e-6)
    assert ((np.sort(scores[:, -1]) - sample.floors() > 0) & (np.sort(scores[:, -1]) - sample.floors() < 0.003)).all()


@pytest.mark.parametrize("count", [2, 5])
def test_of_few_vectors_half_are_queries(count: int) -> None:
    sample = NeighbourSample.of(clustered(count))
    assert sample.neighbours.shape == (count // 2, count - count // 2)
    assert all({*each, *sample.rows.tolist()} == set(range(count)) for each in sample.neighbours.tolist())


def test_strays_tell_which_cells_hold_a_share_of_all_neighbours(
    rows: np.ndarray, sample: NeighbourSample, cell_of: np.ndarray, middles: np.ndarray
) -> None:
    distances = np.linalg.norm(single(rows) - middles[cell_of], axis=1)
    radii = np.sqrt([np.square(distances[cell_of == cell]).mean() for cell in range(len(middles))])
    strays = sample.strays(cell_of, middles, radii.astype(np.float32))
    assert len(strays) == QUERIES * NEIGHBOURS and (np.diff(strays) >= 0).all()
    found, floors = nearest(sample, rows)
    owners = cell_of[found]
    for share in (0.5, 0.9, 0.99):
        reach = np.take_along_axis(sample.queries @ middles.T, owners, axis=1)
        assert (reach + np.quantile(strays, share) * radii[owners] >= floors).mean() == pytest.approx(share, abs=0.05)


def test_cosines_tell_which_cells_hold_a_share_of_all_neighbours_and_how_much_else(
    rows: np.ndarray, sample: NeighbourSample, cell_of: np.ndarray, middles: np.ndarray
) -> None:
    cosines = sample.cosines(cell_of, middles)
    assert len(cosines) == QUERIES * NEIGHBOURS and (np.diff(cosines) >= 0).all()
    to_middles = sample.queries @ (middles / np.linalg.norm(middles, axis=1, keepdims=True)).T
    owners = cell_of[nearest(sample, rows)[0]]
    for share in (0.5, 0.9, 0.99):
        least = np.quantile(cosines, 1 - share)
        assert (np.take_along_axis(to_middles, owners, axis=1) >= least).mean() == pytest.approx(share, abs=0.01)
        in_cells = (to_middles >= least)[:, cell_of[cell_of != NO_CELL]].mean()
        assert sample.share_to_search(cell_of, middles, share) == pytest.approx(in_cells, abs=1e-3)


def test_vectors_of_zeros_have_neighbours_and_cosines_of_0() -> None:
    rows = half_unit(np.zeros((30, 4), np.float32))
    sample = NeighbourSample.of(rows)
    cell_of = np.repeat(np.array([0, 1], np.int32), 15)
    middles = np.zeros((2, 4), np.float32)
    assert not sample.cosines(cell_of, middles).any()
    assert sample.share_to_search(cell_of, middles, 0.99) == 1
