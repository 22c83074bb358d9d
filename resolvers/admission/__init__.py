"""Which GraphQL operations are executed: document limits, cost and rates."""
