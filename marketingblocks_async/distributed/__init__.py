"""Bulk runs by any number of workers on any number of machines (extra ``distributed``).

Rows of a spreadsheet go into a shared journal (``SharedJournal``), their numbers into a task queue, and workers
take them from there (``RowSender``), all under one rate limit (``marketingblocks_async.redis.RedisRateLimit``).
``DistributedRun`` controls the run: it looks for rows whose worker died, and queues again what the queue has lost.

The promise is that of a local run, and rests on the journal alone: no row is lost, and none is published twice without
saying so. The queue may lose, repeat and reorder deliveries. So any queue will do; ``broker.py`` has taskiq over Redis
Streams, ``examples/distributed`` has a whole run.
"""

try:
    from .journal import RowTakenError, SharedJournal
    from .run import DistributedResult, DistributedRun, Enqueue
    from .worker import RowSender
except ModuleNotFoundError as _exc:
    _MISSING = "marketingblocks_async.distributed needs redis-py: pip install 'marketingblocks-async[distributed]'"
    raise ModuleNotFoundError(_MISSING, name=_exc.name) from _exc

__all__ = ["DistributedResult", "DistributedRun", "Enqueue", "RowSender", "RowTakenError", "SharedJournal"]
