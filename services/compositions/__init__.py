"""The compositions of a site: discovery, storage, and validation of props."""
