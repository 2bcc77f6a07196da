"""The whole client in a simulated world: time, network, server, disk and processes follow from a seed.

Real are the client with aiohttp, the limiter, the retries, ``create_many``, the bulk run and the writes of the MCP
server with their SQLite journals, and the sandbox as server. Simulated are the clock, which jumps; the connections,
which delay, break and stall; the disk, on which a write of a bulk run that was interrupted may be half there; and
processes, which die at any turn of the event loop or in any statement of a bulk run's journal. The lease protocol
over Redis is not part of it.

    python -m tests.simulation --seed 17          # one seed, with what happened
    python -m tests.simulation --seeds 100000     # the campaign (make simulation)
"""
