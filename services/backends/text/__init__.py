"""Videos rendered on this machine: the parent is `backend.py`, each render a process of `child.py`."""
