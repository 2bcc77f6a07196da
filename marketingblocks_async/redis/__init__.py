r"""One rate limit for all processes and machines that use a token, kept in Redis (extra ``redis``).

    from marketingblocks_async.redis import RedisRateLimit

    async with MarketingBlocks(rate_limit=RedisRateLimit("redis://cache:6379/0")) as client: ...

Theory
======

The proof of the local limiter (``limits/__init__.py``) needs ``limit`` permits, each of which is out from a grant until
the server has certainly counted that request ``per`` seconds ago. It does not matter to the proof where a permit is
used. So here the permits **move between processes**, and each process keeps the local pool for those that it holds.
Redis only keeps account of how many each process holds (``exchange.lua``), not of single requests. The proof needs one
more fact: no permit is ever in two places.

**Exchanges.** A process in use renews its *lease* of 0.75 s every 0.3 s, for all its tokens in one round trip: it
returns permits that it does not need, says how many it would like, and gets its fair share. A permit whose return
time is not known yet cannot be given up. Any other may be given up at once, together with the time that is left, and
the process that gets it waits that long. So permits are neither idle in transit nor used too early. Saturated processes
keep theirs, so they send about three commands a second each, whatever their number of requests.

**Fairness.** Max-min: no process gets more than it wants, and none more than an equal part of what the others leave.
Each paces at the part that it may count on. A process that has become idle returns all its permits in its second
exchange, half a second after its last call at the latest, and the others take over its share within a second.
Where more processes need permits than there are, they take turns of two windows.

**Leases.** A process grants and writes nothing after its lease: ``lease`` seconds after it *sent* its last successful
exchange. Redis waits ``lease`` seconds from when it *ran* that exchange, which is later. Then it waits ``grace`` (one
second, more with a wider ``guard``), in which requests that were written before may be counted late, then ``per``. Only
then do other processes get the permits. So a killed process leaks its permits for ``recovery = lease + grace + per``
(2.75 s) and no longer. The process checks its lease last directly before the write. What is assumed beyond the local
proof is that a process is not stopped for longer than ``grace`` exactly between these two, and that its clock
(``clock.py``) goes on while it is stopped; the clock of a paused virtual machine may not. (With a session handed in,
the last check is before the connection is set up, which must then not take longer than ``grace`` beyond the end of a
lease.)

**Clocks.** Redis uses only its own clock. Only durations are sent, and readings of monotonic clocks, of which it takes
differences: no wall clock of a process is ever read. Travel makes every duration longer, never shorter. Redis's clock
should be slewed, not stepped. Set back, or set forward by more than ``grace``, it costs a quarantine (see below). A
process notices the second in its next exchange: more time has passed for Redis than by the process's own clock. A
process without a record in Redis cannot tell. So it waits for a quarantine if a lease ended longer than ``grace`` ago
and its process has said nothing since, as after the only process of a token was killed. Two things go unnoticed. A
smaller step forward, or one that ends no lease and comes just before a process joins, lets the permits in Redis's pool
be used early by as much. And after one of more than a minute Redis's keys have expired. Then a process that begins
before the next exchange of the others may get permits that they hold. A pause
keeps the time that was left of it.

**Lost data.** Redis may restart without its data or with old data, fail over to a replica that lags behind, or be
flushed. A marker with the server's identity reveals that, and so does the claim in every exchange: the number of
permits that the process believes to hold. Then all permits are in *quarantine* for ``recovery`` seconds, except that
processes with a valid lease get what they claim, since that is where those permits are. So running processes do not
notice a flush or a quick restart, and new ones wait. A server that starts for the first time looks like one that has
lost its data, so it grants nothing in its first ``recovery`` seconds. Eviction of single keys would be a loss of data
as well: use ``maxmemory-policy noeviction`` (keys of idle tokens expire by themselves, after a minute or with a
longer pause).

**Lost and late messages.** Exchanges are numbered. If the reply to an exchange does not arrive, its permits go back at
once, since the process says which reply it got last. An exchange that Redis runs after a later one of the same process
does nothing. So it does not matter what a connection did before it broke, and the library never repeats an exchange.

**While Redis is out of reach**, a process goes on until its lease runs out. Then ``on_failure`` decides: *wait* (calls
wait, their ``deadline`` counts), *fail* (``NotSentError``), or *share*. With *share*, ``recovery`` seconds after the
first failed exchange (denials do not count) no lease can have an effect any more, and each process goes on with ``limit
// share`` permits. Its first exchange after that tells Redis (processes with shares send a heartbeat every half second
while they can, so Redis notices a gap), and all permits are in quarantine again except the shares, which are claimed. A
share ends with any reply of the script, also one that tells of other settings, and with a denial; other errors of Redis
count as out of reach. This holds when Redis is
out of reach for all processes alike. A single process that is cut off while the others are not would add its share to
their limit; where that can happen, use *wait*.

**A 429** seen by one process pauses all. Processes in use hear of it in their next exchange, within 0.3 s, the others
before they send anything. All slow down as the local limiter does.

Why not a library? They were tried with 4 processes and 400 waiting calls. pyrate-limiter's ``RedisBucket`` and
``StateBucket`` come close (worst second 100 and 101, even, full use), but they count with the processes' wall clocks,
and a round trip per request limits the grant, not the arrival. ``limits`` does not wait, steindamm leaks the permits of
cancelled calls, throttled-py reached 0.9 and wakes every waiter. None has leases, and none knows when a request was
counted.
"""

try:
    from .limiter import RedisRateLimit, RedisRateLimiter, RedisRateLimiterSnapshot
    from .settings import OnFailure
except ModuleNotFoundError as _exc:
    _MISSING = "marketingblocks_async.redis needs redis-py: pip install 'marketingblocks-async[redis]'"
    raise ModuleNotFoundError(_MISSING, name=_exc.name) from _exc

__all__ = ["OnFailure", "RedisRateLimit", "RedisRateLimiter", "RedisRateLimiterSnapshot"]
