"""Previews of running renders: small JPEGs of their newest frames."""
