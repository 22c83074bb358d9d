"""The client-facing edge: who calls, what they ask, what they are told."""
