"""What makes videos, one package an adapter."""
