r"""The rate limit of one token: at most ``limit`` requests in any ``per`` seconds, *as the server counts them*.

Theory
======

The client does not see the instant at which the server counts a request. It sees, for each request:

* ``g``: it was **granted**, that is, allowed to go out;
* ``w``: it was **sent**, that is, its last byte was written to the socket;
* ``z``: it was **answered**, that is, the head of the response was read.

The server counts the request at some instant ``c`` with ``w <= c <= z``: it cannot count what was not written, and it
does not answer what it has not counted. A limiter that spaces the *grants* says nothing about the ``c``. Between ``g``
and ``c`` lie the event loop, a connection that may have to be opened, and the network. Each of them can hold requests
back and then let them go together. So this limiter keeps track of every request that the server might still be
counting.

**Permits.** There are ``limit`` permits. A grant takes one. It comes back ``per`` seconds after the server has
certainly counted the request: ``per`` after ``z``, or ``per`` after ``w + guard`` if that is earlier. While neither is
known (granted, not yet sent), the permit has no time to come back. A request that is cancelled before its first byte
was written cannot be counted, so its permit is **released** at once.

**Claim.** No window of ``per`` seconds of the server's clock contains more than ``limit`` counted requests.

**Proof.** Suppose that a half-open window of length ``per`` contains ``limit + 1`` of them. Take the one that was
granted last, at ``g'``. At ``g'`` at most ``limit - 1`` permits were out. So of the other ``limit`` requests at least
one had its permit back: it came back at some ``r <= g'``. There are two cases.

1. *After the answer*: ``r = z + per``. Then ``c' >= g' >= z + per >= c + per``. The two are not in one window. This
   holds for every delay, anywhere.
2. *After the guard*: ``r = w + guard + per``. Let the delay from write to count lie between ``d`` and ``d + spread``
   for all requests. Then ``c <= w + d + spread`` and ``c' >= w' + d >= g' + d >= w + guard + per + d``, so ``c' - c >=
   per + guard - spread``, which is at least ``per`` as long as ``spread <= guard``.

The proof uses only the order ``g' <= w'``, and that ``w`` is read after the write. A stalled event loop, a slow
connect, a garbage collection, a retry or ten thousand waiting tasks do not affect it: they only delay when permits come
back. All instants are of one monotonic clock, so jumps of the wall clock have no effect, and after a machine was
suspended the permits only come back later.

**The assumption** is one: the delay from write to count *varies* by at most ``guard`` (50 ms). It is needed only for
requests whose response takes longer than that. ``guard=math.inf`` removes the assumption and costs throughput where
responses are slow: a token reaches ``limit / (per + min(latency, guard))``. The first request on a new connection has a
guard of at least one second, because accept queues and proxies delay exactly that one.

**Unknown** is when a request without a response is counted, if ever. Its connection is closed when its call ends, so it
was written before that or never. The guard therefore covers it like any other, from its write or, where that was not
seen, from the end of its call. With ``guard=inf`` it holds its permit ``RELEASED_UNSEEN_HOLD`` seconds longer than
``per``.

``release.py`` decides when a permit comes back, and ``permits.py`` keeps them.

**Pacing.** The bound alone would allow ``limit`` requests back to back. So a token bucket of small ``burst``
(``pacing.py``) spaces the grants, and another one the writes, since connections that take different times to open would
bunch evenly spaced grants. Two to five is the useful size of the burst: 1 cannot catch up after a timer that fired
late, and more endangers a server that checks the spacing (GCRA).

**Order.** Strict first in, first out within a lane; ordinary calls before bulk calls; in each lane retries before new
calls. Every grant comes from one dispatcher per event loop, in a turn of its own (``queue.py``). So no call overtakes
the queue, and no long turn of the loop grants requests that cannot be written in it. The cost of a grant does not
depend on the length of the queue, nor does the cost of a cancellation.

**After a 429** the whole token pauses until a monotonic deadline that only moves forward. So no request that finishes
can end the pause early. After it, the queue moves on in order, evenly, without a burst, at the reduced rate of
``AdaptiveRate``. The bound was kept, so a 429 also says that the guard may be too small for this path: it is doubled
(up to one second) until a minute passes without a 429.
"""
