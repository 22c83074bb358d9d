"""The graphql-transport-ws protocol."""
