"""Client commands, which call a server through its public API."""
