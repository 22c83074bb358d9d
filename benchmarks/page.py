"""The page about performance, `docs/performance.md`, and its chart, made from the results of `benchmarks.summary`."""

from collections.abc import Sequence

from benchmarks.chart import Chart
from benchmarks.figures import Figure, grouped, table
from benchmarks.results import CHART, PAGE, Results

PARTS = {
    "requests": "requests",
    "delivery": "delivery",
    "delivery-tuned": "delivery to a tuned server",
    "connections-1000": "connections of 1,000 clients",
    "connections-5000": "connections of 5,000 clients",
    "footprint": "start and idle memory",
}
TEXT = """\
# Performance

<!-- Written by benchmarks/page.py: do not edit. -->
{summary}

![Bars of the ratios in the table, with their quartiles and aims](images/performance.svg)

## What was compared

The CPU time, user and system, that the server's process needs for the same work, in alternating turns with the peer. \
A ratio below 1 means that
Rendercast needs less. It is the median of the ratios within each turn; half of these are between the quartiles.

- **Requests**: 20 users at the same time, each with one connection and one request at a time, after a warm-up. \
Both servers verify the token of each request, store what a start
  starts, and publish it in Redis. Each response is checked. Rendercast has its limits on operations, the peer has \
none. With MongoDB it is `rendercast serve` as in production.
- **Delivery**: 300 clients with WebSockets, from Redis to the socket. Rendercast has verified tokens, all limits and \
pings; the peers have none of these. \
graphql-ws is as in its documentation, [graphql-jit on uWebSockets.js](../benchmarks/peers/jit-uws.mjs) tuned by hand.
- **Connections**: 1,000 or 5,000 clients, each with a subscription of its own and a token that both servers verify. \
Memory is anonymous memory.
- **Start and idle memory**: `rendercast dev` in a new folder. It also has a process that waits for the first render, \
for a minute; its memory is in \
[benchmarks/README.md](../benchmarks/README.md#footprint).

Peers, with `NODE_ENV=production`: {peers}, on Node {node}. Rendercast runs on Python {python}.
Machine: {machine}. Other machines and other load change the times more than the ratios.
Runs: {runs}.

## Results

{table}

## What was not measured

{missing}\
- A MongoDB server: the driver talks to a server of the tests, whose time is not counted. Waits are not CPU time.
- Machines with more cores, and servers that are not written in JavaScript.

## How to repeat it

`npm ci --prefix benchmarks/peers`, then `.venv/bin/python -m benchmarks.summary --page`: about fifteen minutes. It \
needs the development packages, Node 20, \
12,000 open files (`ulimit -n`) and a Python that was compiled with optimizations, as in the image and in \
distributions: pyenv's default needs a tenth more CPU time.
It writes [results.json](../benchmarks/results.json), this page and the chart. \
`--help` lists the parts that can be run alone.
[benchmarks/README.md](../benchmarks/README.md) describes all benchmarks.
"""


def write(results: Results) -> None:
    """Write the page and the chart."""
    PAGE.write_text(text(results), encoding="utf-8")
    CHART.write_text(chart(results), encoding="utf-8")


def text(results: Results) -> str:
    """Return the page."""
    figures, versions = results.figures(), dict(results.versions)
    return TEXT.format(
        summary=summary(figures),
        python=versions.pop("Python"),
        node=versions.pop("Node"),
        peers=", ".join(f"{name} {version}" for name, version in versions.items()),
        table=table(figures),
        runs="; ".join(
            f"{PARTS[name]}, {part.turns} turns, {part.date}, commit {part.commit}"
            for name, part in results.parts.items()
        ),
        machine=results.machine,
        missing="".join(f"- {PARTS[part].capitalize()}.\n" for part in PARTS if part not in results.parts),
    )


def chart(results: Results) -> str:
    """Return the chart of the ratios as SVG."""
    ratios = [figure for figure in results.figures() if figure.compared_to]
    return Chart(ratios).svg(summary(results.figures()))


def summary(figures: Sequence[Figure]) -> str:
    """Return the result in a few sentences."""
    ratios = [figure for figure in figures if figure.compared_to]
    less = sum(figure.median < 1 for figure in ratios)
    over = [
        f"{group}: {', '.join(f'{each.name} ({each.median:.2f})' for each in members)}"
        for group, members in grouped(each for each in ratios if each.median > 1).items()
    ]
    more = f" It needs more for {'; '.join(over)}." if over else ""
    reached = sum(figure.is_reached for figure in figures)
    return (
        f"Rendercast needs less than the servers in Node in {less} of {len(ratios)} comparisons of CPU time and memory."
        f"{more} {reached} of {len(figures)} figures reach their aim."
    ).replace("`", "")
