"""The documented API: routes, validation, operations, responses."""
