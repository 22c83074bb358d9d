"""What `rendercast` does when it is told to: serve, carry renders, ask a server for videos, look for what is wrong."""
