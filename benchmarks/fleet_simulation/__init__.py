"""A fleet in virtual time: thousands of tokens on hundreds of processes that share their limits over Redis.

The leases, the permits and the script that Redis runs are the real ones; the network, the processes and the API are
simulated. ``python -m benchmarks.fleet_simulation`` plays a fleet, ``… calibrate`` compares four simulated processes
with four real ones.
"""
