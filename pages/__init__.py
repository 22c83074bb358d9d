"""The HTML pages: GraphiQL and the studio."""
