"""GraphQL types and inputs, and nothing else."""
