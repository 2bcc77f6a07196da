"""Measurements of this client and of other ways to keep a rate limit. ``python -m benchmarks --help``.

The *server* decides: it runs in its own process and records every arrival. Counts (worst second, refusals, copies of a
post) are exact. Times are medians over rounds in which the contestants take turns, with their spread. Read them as
ratios within one run, because machines differ and drift.

=================  =====================================================================
``contestants/``   the clients, each written as its own documentation shows it
``cases/``         the measurements, one question for each module
``arithmetic.py``  worst windows, rates, medians
``records.py``     the result of a measurement, and its file
``promises.py``    the counts that must hold in every run (``--check``); never times
``tables.py``      tables; ``pictures.py`` pictures; ``compare.py`` two runs
=================  =====================================================================
"""
