"""Kill bulk runs at every instant and check at the server what became of their rows: ``python -m tests.torture``."""
