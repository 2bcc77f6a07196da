"""Send the rows of a journal, and find out about rows of unknown outcome."""
