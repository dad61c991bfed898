"""The command line: progress on standard error, one line of JSON on standard output, exit code 1 if it falls short."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.vector_search.generating import Clustered
from benchmarks.vector_search.measuring import PUT_ROWS, Wanted, measure
from benchmarks.vector_search.merging import merge_costs

OK, TOO_LITTLE, WRONG = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Returns 0 when every required figure is reached, 1 when one is not, 2 for wrong options or files."""
    options = parser().parse_args(arguments)
    if options.merges:
        costs = merge_costs(_kind(options), _tell)
        print(json.dumps({"merge_us_a_vector": {size: round(cost, 1) for size, cost in costs.items()}}), flush=True)
        return OK
    try:
        wanted = _from_files(options) if options.vectors else _generated(options)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return WRONG
    report = measure(wanted, _tell)
    for shortfall in report.shortfalls:
        print(shortfall, file=sys.stderr)
    print(json.dumps(report.document()), flush=True)
    return TOO_LITTLE if report.shortfalls else OK


def _tell(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


def parser() -> argparse.ArgumentParser:
    """The options."""
    top = argparse.ArgumentParser(
        prog="python -m benchmarks.vector_search",
        description="Measures the vector index against numpy's exact scan, and faiss if it is installed.",
    )
    top.add_argument(
        "--vectors", type=Path, metavar="FILE", help=".npy, float32, [count, dimensions]; generated if not"
    )
    top.add_argument(
        "--queries", type=Path, metavar="FILE", help=".npy, float32, [queries, dimensions]; with --vectors"
    )
    top.add_argument("--k", type=_positive, default=10, metavar="N", help="neighbours wanted (default: %(default)s)")
    top.add_argument(
        "--recall", type=float, default=0.99, metavar="R", help="asked of the index (default: %(default)s)"
    )
    top.add_argument("--count", type=_positive, default=1_000_000, metavar="N", help="generated (default: %(default)s)")
    top.add_argument("--dimensions", type=_positive, default=512, metavar="N", help="default: %(default)s")
    top.add_argument("--clusters", type=_positive, metavar="N", help="default: one for 500 vectors, at least 20")
    top.add_argument("--noise", type=float, default=0.7, metavar="X", help="within a cluster (default: %(default)s)")
    top.add_argument(
        "--skew", type=float, default=0.5, metavar="X", help="of the clusters' sizes (default: %(default)s)"
    )
    top.add_argument("--asked", type=_positive, default=400, metavar="N", help="queries (default: %(default)s)")
    top.add_argument("--merges", action="store_true", help="measure instead what merging segments costs")
    top.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    return top


def _from_files(options: argparse.Namespace) -> Wanted:
    if options.queries is None:
        raise ValueError("--vectors needs --queries")
    vectors, queries = (_unit(np.load(path, mmap_mode="r")) for path in (options.vectors, options.queries))
    if vectors.shape[1] != queries.shape[1]:
        raise ValueError(f"vectors of {vectors.shape[1]} dimensions, queries of {queries.shape[1]}")
    return Wanted(len(vectors), vectors.shape[1], lambda: iter([vectors]), queries, options.k, options.recall)


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    if vectors.ndim != 2 or not len(vectors):
        raise ValueError(f"not [count, dimensions]: {vectors.shape}")
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def _generated(options: argparse.Namespace) -> Wanted:
    kind = _kind(options)
    starts = range(0, options.count, PUT_ROWS)

    def blocks() -> Iterator[NDArray[np.float32]]:
        for stream, start in enumerate(starts):
            yield kind.vectors(min(PUT_ROWS, options.count - start), stream + 1)

    return Wanted(options.count, options.dimensions, blocks, kind.vectors(options.asked), options.k, options.recall)


def _kind(options: argparse.Namespace) -> Clustered:
    clusters = options.clusters or max(20, options.count // 500)
    return Clustered(options.dimensions, clusters, options.noise, options.skew, options.seed)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError("must be a whole number, 1 or more")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
