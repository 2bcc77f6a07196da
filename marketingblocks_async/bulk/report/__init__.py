"""What a bulk run did, as data, CSV and HTML."""
