"""HTTP and WebSockets: uvicorn protocols, connection limits, middleware, GraphQL over HTTP and graphql-transport-ws."""
