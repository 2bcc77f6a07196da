"""Measurements of this client and of other ways to keep a rate limit. ``python -m benchmarks --help``.

What decides is what the *server* saw: it runs in a process of its own and records every arrival. Counts (worst second,
refusals, copies of a post) are exact. Times are medians over rounds in which the contestants take turns, with their
spread, and they are best read as ratios within one run, because machines differ and drift.

=================  =====================================================================
``contestants/``   the clients, each as its own documentation would have it
``cases/``         what is measured, one question a module
``arithmetic.py``  worst windows, rates, medians, whether a change is more than noise
``records.py``     what a measurement leaves behind, and the file that keeps it
``promises.py``    what must hold in every run (``--check``): counts, never times
``tables.py``      the tables; ``pictures.py`` the pictures; ``compare.py`` two runs
=================  =====================================================================
"""
