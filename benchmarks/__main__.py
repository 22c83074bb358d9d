"""`make bench`: every benchmark, one after the other."""

from benchmarks import footprint, limits, local_renderer, polling, requests, start_to_progress, watching

if __name__ == "__main__":
    local_renderer.main()
    start_to_progress.main()
    polling.main()
    limits.main()
    requests.main()
    watching.main()
    footprint.main()
