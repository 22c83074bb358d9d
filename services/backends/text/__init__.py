"""The text backend: renders videos on this machine. `backend.py` runs a process of `child.py` for each render."""
