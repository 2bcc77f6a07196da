"""The journal of a bulk run: an SQLite file with every row and its state."""
