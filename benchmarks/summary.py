"""All aims for speed and size in one table: `python -m benchmarks.summary`, after `npm ci --prefix benchmarks/peers`.

With `--page` it also writes `benchmarks/results.json`, `docs/performance.md` and its chart. All parts take about
fifteen minutes. With names of parts only these are run; the file keeps the results of the others if they are of the
same machine and versions. Each benchmark also prints its own tables before.
"""

import argparse
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import connections, delivery, footprint, page, requests, results
from benchmarks.figures import Figure, table

RUNS: dict[str, Callable[[int], Sequence[Figure]]] = {
    "requests": requests.main,
    "delivery": partial(delivery.main, kinds=("rendercast", delivery.PEER)),
    "delivery-tuned": partial(delivery.main, kinds=("rendercast", delivery.TUNED_PEER)),
    "connections-1000": partial(connections.main, 1000),
    "connections-5000": partial(connections.main, 5000),
    "footprint": footprint.main,
}
TURNS = {
    "requests": requests.TURNS,
    "delivery": delivery.TURNS,
    "delivery-tuned": delivery.TURNS,
    "connections-1000": 5,
    "connections-5000": 3,
    "footprint": footprint.TURNS,
}


def main() -> None:
    """Run the benchmarks, or read the results of an earlier run; print the table and write the page."""
    options = _options()
    if options.source:
        found = results.read(options.source)
        page.write(found)
    else:
        found = _measure(options.parts or tuple(RUNS), options.turns, with_page=options.page)
    print(f"\n## Summary\n\n{table(found.figures())}")


def _measure(names: Sequence[str], turns: int | None, *, with_page: bool) -> results.Results:
    """Run these parts; with the page, write it after each, so that an interrupted run keeps what it has measured."""
    found = results.read(results.RESULTS) if with_page and results.RESULTS.exists() else None
    for name in names:
        times = turns or TURNS[name]
        found = results.merged({name: results.measured(times, RUNS[name](times))}, found, order=tuple(RUNS))
        if with_page:
            results.write(results.RESULTS, found)
            page.write(results.read(results.RESULTS))
    assert found is not None
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.summary", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"default: {' '.join(RUNS)}")
    parser.add_argument("--turns", type=int, help="turns of each part, at least 2")
    parser.add_argument("--page", action="store_true", help="write the results, docs/performance.md and its chart")
    parser.add_argument("--from", dest="source", type=Path, metavar="FILE", help="write the page from these results")
    options = parser.parse_args()
    if unknown := set(options.parts) - RUNS.keys():
        parser.error(f"unknown parts: {' '.join(sorted(unknown))}; known: {' '.join(RUNS)}")
    if options.turns is not None and options.turns < 2:
        parser.error("--turns must be at least 2, since quartiles need two values")
    return options


if __name__ == "__main__":
    main()
