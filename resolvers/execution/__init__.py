"""Execution of GraphQL operations: the executor, its limits, and the fast path of subscriptions."""
