"""The graphql-transport-ws protocol over WebSockets."""
