import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from benchmarks.vector_search.generating import Clustered
from benchmarks.vector_search.picture import draw


def test_generated_vectors_are_of_length_1_clustered_and_always_the_same() -> None:
    kind = Clustered(dimensions=64, clusters=5, noise=0.3, skew=0.0, seed=3)
    vectors = kind.vectors(400)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    assert (vectors == kind.vectors(400)).all()
    assert not (vectors == kind.vectors(400, stream=1)).all()
    cosines = vectors @ kind.vectors(50, stream=1).T  # of the same clusters
    near = cosines > 0.7
    assert near.any(axis=0).all()
    assert near.mean() == pytest.approx(1 / 5, abs=0.05)


def test_a_skew_makes_some_clusters_large() -> None:
    vectors = Clustered(dimensions=64, clusters=20, noise=0.1, skew=2.0, seed=1).vectors(300)
    largest = (vectors @ vectors.T > 0.8).sum(axis=1).max()
    assert largest > 300 / 20 * 5


def test_the_picture_is_an_svg_with_a_curve_for_whatever_was_measured() -> None:
    runs = [
        {
            "vectors": count,
            "dimensions": 512,
            "median_ms": 1.0,
            "p99_ms": 2.5,
            "peak_memory_mb": count // 500,
            "recall": 0.99,
            "exact_median_ms": exact,
            "faiss": None,
            "code_bytes_a_vector": 66.0,
            "cold": {"bytes_read": 1000 * count},
        }
        for count, exact in ((1000, 0.5), (100_000, 7.0), (10_000_000, None))
    ]
    svg = ElementTree.fromstring(draw(runs))
    lines = svg.findall(".//{http://www.w3.org/2000/svg}polyline")
    points = [len(line.attrib["points"].split()) for line in lines]
    assert points == [3, 2, 0, 3, 3, 2, 0, 3, 3, 3, 3, 3]
