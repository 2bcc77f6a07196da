r"""One rate limit for all processes and machines that use a token, kept in Redis (extra ``redis``).

::

    from marketingblocks_async.redis import RedisRateLimit

    async with MarketingBlocks(rate_limit=RedisRateLimit("redis://cache:6379/0")) as client: ...

Theory
======

The proof of the local limiter (``limits/limiter.py``) needs ``limit`` permits, each of which is out from
a grant until ``per`` seconds after the server has certainly counted that request. It does not ask where a permit is
used. So here the permits **move between processes**, and each process keeps exactly the local books for those that it
holds. Redis keeps the accounts of who holds how many (``script.py``), nothing of single requests. Nothing else is added
to the proof but that no permit is ever in two places.

**Exchanges.** A process in use speaks with Redis three times in the time of a *lease* (every 0.25 s), for all its
tokens in one round trip: it gives back what it does not need, says what it would like, and gets what is its due. A
permit that has no instant yet at which it comes back cannot be given away. One that has may be given at once, together
with the time that is left; whoever gets it waits that long. So permits are neither idle on the way nor used too early,
and saturated processes, which keep theirs, send about four commands a second each, however many requests that is.

**Fairness.** Max-min: nobody gets more than it wants, and nobody more than an equal part of what the others leave. Each
process paces at the part that it may count on. What an idle process held is given away by its second exchange, half a
second after its last call at the latest, and is in use by others within a second.

**Leases.** A process grants and writes nothing when the lease has run out: ``lease`` seconds after it *sent* its last
successful exchange. Redis waits ``lease`` seconds from when it *ran* that exchange, which is later, then ``grace`` (one
second, more with a wider ``guard``) in which requests that were written before may be counted late, then ``per``; only
then do others get the permits. A killed process leaks its permits for ``recovery = lease + grace + per`` (2.75 s), and
nothing longer. The last look at the lease is directly before the write, in the same turn of the event loop. What is
assumed beyond the local proof is that a process is not stopped for longer than ``grace`` exactly between these two, and
that its clock (``clock.py``) goes on while it is stopped; that of a paused virtual machine may not.
(With a session handed in, writes are not seen; then the last look is at the grant, and setting up a connection must not
take longer than ``grace`` beyond the end of a lease.)

**Clocks.** Only Redis's clock is used in Redis, and only durations travel: no process's wall clock is ever read. Time
on the way makes every duration longer, never shorter. Redis's clock should be slewed, not stepped: set back, it costs a
quarantine (see below); set forward by more than ``grace`` while processes are stopped, it could free permits too early.

**Loss of memory.** Redis may restart without its data or with old data, fail over to a replica that has not got
everything yet, or be flushed. A marker with the server's identity, and a claim in every exchange (how many permits the
process believes to hold), show that. Then all permits are in *quarantine* for ``recovery`` seconds, but processes whose
lease is valid get what they claim, since that is where those permits are. So running processes do not notice a flush or
a quick restart, and new ones wait. A server that has just started for the first time cannot be told from one that has
lost its memory, so it gives nothing in its first ``recovery`` seconds. Eviction of single keys would be loss of memory
as well: use ``maxmemory-policy noeviction`` (keys of idle tokens expire by themselves, after a minute).

**Messages lost and late.** Exchanges are numbered. What an exchange granted whose answer did not arrive goes back at
once, since the process says which answer it got last; an exchange that Redis runs after a later one of the same process
does nothing. So it does not matter what a connection did before it broke, and nothing is repeated by the library.

**While Redis is out of reach**, a process goes on until its lease runs out. Then ``on_failure`` decides: *wait* (calls
wait, their ``deadline`` counts), *fail* (``NotSentError``), or *share*: ``recovery`` seconds after the first failed
exchange nobody's lease can have an effect any more, and each process goes on with ``limit // share`` permits. The first
exchange after that tells Redis (processes with shares report every half second while they can, so a gap is noticed),
and all are in quarantine again but the shares, which are claimed. This holds when Redis is out of reach for all
processes alike. A single process that is cut off while the others are not would add its share to their limit; where
that can happen, use *wait*.

**A 429** seen by one process pauses all: those in use hear of it in their next exchange, within 0.25 s, the others
before they send anything. All slow down as the local limiter does.

Why not a library? They were tried with 4 processes and 400 waiting calls. pyrate-limiter's ``RedisBucket`` and
``StateBucket`` are near (worst second 100 and 101, even, full use), but the processes' wall clocks are part of the
count, and a round trip per request limits the grant, not the arrival. ``limits`` has no waiting, steindamm leaks what
is cancelled, throttled-py reached 0.9 and wakes everybody. None has leases, and none knows when a request was counted.
"""

from .settings import OnFailure, RedisRateLimit

try:
    from .limiter import RedisRateLimiter, RedisRateLimiterSnapshot
except ModuleNotFoundError as _exc:
    _MISSING = "marketingblocks_async.redis needs redis-py: pip install 'marketingblocks-async[redis]'"
    raise ModuleNotFoundError(_MISSING, name=_exc.name) from _exc

__all__ = ["OnFailure", "RedisRateLimit", "RedisRateLimiter", "RedisRateLimiterSnapshot"]
