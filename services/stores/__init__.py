"""Where job documents are kept, one adapter a file."""
