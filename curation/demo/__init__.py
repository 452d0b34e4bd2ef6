"""The demo: a small web on loopback, and the whole chain on it."""
