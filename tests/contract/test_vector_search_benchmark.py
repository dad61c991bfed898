"""The benchmark of the vector index, small: over moto, from files and with what it makes itself."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.vector_search.__main__ import OK, TOO_LITTLE, WRONG, main
from benchmarks.vector_search.generating import Clustered


def test_it_builds_searches_cold_and_warm_appends_and_tells_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = Clustered(dimensions=64, clusters=60, noise=0.5, skew=0.5, seed=1)
    np.save(tmp_path / "vectors.npy", kind.vectors(9000))
    np.save(tmp_path / "queries.npy", kind.vectors(40, stream=1))
    code = main(["--vectors", str(tmp_path / "vectors.npy"), "--queries", str(tmp_path / "queries.npy"), "--k", "5"])
    report = json.loads(capsys.readouterr().out)
    assert (report["vectors"], report["dimensions"], report["k"]) == (9000, 64, 5)
    assert report["recall"] >= 0.97
    assert report["median_ms"] > 0 and report["exact_median_ms"] > 0
    assert 8 < report["code_bytes_a_vector"] < 20
    assert 0 < report["cold"]["bytes_read"] < 9000 * 64 * 4
    assert report["append"]["seen_s"] >= report["append"]["put_s"]
    assert report["ok"] == (code == OK) and code in (OK, TOO_LITTLE)


@pytest.mark.parametrize("shape", [(4,), (0, 8)])
def test_files_that_are_no_vectors_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: tuple[int, ...]
) -> None:
    np.save(tmp_path / "bad.npy", np.zeros(shape, np.float32))
    assert main(["--vectors", str(tmp_path / "bad.npy"), "--queries", str(tmp_path / "bad.npy")]) == WRONG
    assert main(["--vectors", str(tmp_path / "missing.npy"), "--queries", str(tmp_path / "bad.npy")]) == WRONG
    assert main(["--vectors", str(tmp_path / "bad.npy")]) == WRONG
    assert "not [count, dimensions]" in capsys.readouterr().err
