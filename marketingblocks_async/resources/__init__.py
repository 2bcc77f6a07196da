"""Thin typed methods, one module a resource: arguments to request objects, request objects to calls."""
