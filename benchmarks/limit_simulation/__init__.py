"""A simulation of the rate limit: which rule for returning permits holds in which world, and at what rate.

It stands beside the benchmarks, since it measures and compares, and uses the package's real permits and rule: what
holds here is what clients run. ``python -m benchmarks.limit_simulation --help`` says how; the results are in
``docs/concepts/limit.md``.
"""
