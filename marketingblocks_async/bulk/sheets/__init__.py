"""From a spreadsheet to rows, and back."""
