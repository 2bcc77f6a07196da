"""One call, from the queue to its outcome: permit, attempt, classification, retry."""
