"""The GraphQL API: resolvers, the executable schema, and the limits on its operations."""
