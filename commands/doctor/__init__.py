"""`rendercast doctor`."""
