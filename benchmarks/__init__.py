"""Measurements of the client. ``python -m benchmarks --help``.

Times are compared as ratios within one run, alternating between the contestants, because machines differ and drift.
Counts (worst second, refusals) come from the server.
"""
