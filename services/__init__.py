"""The domain layer: renders, their execution, storage and notifications. Independent of GraphQL and the HTTP server."""
