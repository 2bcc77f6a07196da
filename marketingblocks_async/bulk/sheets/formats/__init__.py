"""The formats of files of posts: CSV, JSON, XLSX. Each is read as raw rows."""
