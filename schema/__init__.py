"""GraphQL types and inputs, without store access or tasks. `schema.graphql` is exported from them."""
