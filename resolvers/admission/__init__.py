"""Decides which GraphQL operations are executed: limits on documents, cost and rates."""
