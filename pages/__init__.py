"""The HTML pages: GraphiQL, the studio, and the page of a shared render."""
