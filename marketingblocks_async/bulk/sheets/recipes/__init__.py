"""Recipes: the spreadsheets of other programs as posts. The recipes of well-known programs are TOML files here."""
