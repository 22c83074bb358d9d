"""Background loops: supervision, leased work, and retry delays."""
