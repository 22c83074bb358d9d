"""The namespace of the packages of Rendercast for Python programs."""
