"""`make bench`: every benchmark, one after the other."""

from benchmarks import (
    footprint,
    limits,
    observability,
    polling,
    requests,
    start_to_progress,
    starts,
    text_renderer,
    validation,
)

if __name__ == "__main__":
    text_renderer.main()
    start_to_progress.main()
    polling.main()
    limits.main()
    validation.main()
    requests.main()
    starts.main()
    observability.main()
    footprint.main()
