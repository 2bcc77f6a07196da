"""Read posts from CSV, JSON Lines and XLSX files, and from objects."""
