"""Bulk posting that survives anything: plan a file, run it against a journal, resume it after whatever happened."""
