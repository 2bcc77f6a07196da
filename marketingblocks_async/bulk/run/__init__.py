"""Send the rows of a journal, and find out about those whose outcome is unknown."""
