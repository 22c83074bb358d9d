"""The text backend: renders videos on this machine. `backend.py` runs each render in a process of `child.py`."""
