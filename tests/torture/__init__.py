"""Kills bulk runs at every instant and looks at the server what became of their rows; ``python -m tests.torture``."""
