r"""The rate limit of one token: at most ``limit`` requests in any ``per`` seconds, *as the server counts them*.

Theory
======

The client does not see the instant at which the server counts a request. It sees, for each request:

* ``g``: it was **granted**, that is, allowed to go out;
* ``l``: it is about to **leave**, directly before its first byte is written to the socket;
* ``w``: it was **sent**, that is, its last byte was written;
* ``z``: it was **answered**, that is, the head of the response was read.

The server counts the request at some instant ``c`` with ``l <= c <= z``: it cannot count what was not written, and it
does not answer what it has not counted. A limiter that spaces the *grants* says nothing about the ``c``. Between ``g``
and ``c`` lie the event loop, a connection that may have to be opened, and the network. Each of them can hold requests
back and then let them go together. So this limiter keeps track of every request that the server might still be
counting.

**Permits.** There are ``limit`` permits. A grant takes one. ``per`` after ``z`` it may certainly come back, but then a
token would reach only ``limit / (per + latency)``. Most of a round trip is the same for all requests, though: the next
request with the permit takes as long to be counted. So the permit comes back **by evidence** at ``z + per - base``,
where ``base`` is the fastest round trip ``z - l`` of that operation in the last 30 to 60 seconds, less 5 ms
(``MARGIN``). An answer that took ``late`` seconds longer than the base holds its permit ``late`` seconds beyond
``per``, for whatever reason it took longer. A request that is cancelled before its first byte was written cannot be
counted, so its permit is **released** at once.

**Claim.** No window of ``per`` seconds of the server's clock contains more than ``limit`` counted requests.

**Assumption.** Let ``d`` be the least time from ``l`` to ``c`` of the later requests, and ``p`` the least time from
``c`` to ``z`` of the earlier ones: ``base <= d + p``. In words: *nothing is faster than the fastest seen*, by more
than the margin. A permit is measured by the base at the instant at which it comes back, so a path that has become
faster counts from its first fast answer on, also for permits that are out.

**Proof.** Give each permit an identity. Suppose that a half-open window of length ``per`` contains ``limit + 1``
requests. Two of them used the same permit (pigeonhole), the later one granted at ``g' >= z + per - base``, where ``z``
and ``c`` belong to the first of them, or to one in between that is no earlier. Then ``c' >= l' + d >= g' + d >= z + per
- base + d >= c + p + per - base + d >= c + per``. So the two are not in one window.

The proof uses only the order of these instants, and that ``l`` is read before the write. A stalled event loop, a slow
connect, a server or a network that stands still, a lost packet, a garbage collection or ten thousand waiting tasks do
not affect it: they only delay when permits come back. All instants are of one monotonic clock, so jumps of the wall
clock have no effect, and after a machine was suspended the permits only come back later.

**The guard** is the most that this may cost: with ``guard=math.inf`` all of it is held, whatever the rate. A server
whose processing times *vary* looks like one that counts late, and holding all of that would cost up to a third of the
rate. So ``late`` is paid from a credit. Each permit that comes back brings ``guard`` seconds (50 ms) and costs what it
was held; credit can be saved for 30 windows. While there is credit, any lateness is held in full. Without, a permit
comes back at ``w + guard + per`` at the earliest, and the bound rests on a second assumption: that the delay from write
to count *varies* by at most the guard (then ``c' - c >= per + guard - spread``). In general, no window contains more
than ``limit`` and those requests in it that were later than they were held. So a token reaches about ``limit / (per +
guard)``, rare lateness of any size is covered, and only frequent lateness is covered up to the guard. Details:

* *Holding is free while permits are plenty* (fewer than four fifths are out): all is held in full then.
* *An unanswered request* is late by its own evidence. It holds its permit while the credit lasts.
* *New connections*: their first request has a guard of a second at least, since accept queues and proxies delay it.
* *Failures* may be faster than any success. They are no evidence of the base, and hold ``per`` after ``z``.
* *Nothing known yet* (fewer than 50 answers in a minute; one on a new connection counts half, since all of those
  may be late): a permit comes back ``per`` after the answer, or after a guard of at least 0.2 s. On a new connection
  the guard is a second as soon as an answer has come within two.
* *Answers slower than per* come too late to be evidence. Then a permit is held for the largest lateness seen lately, at
  most for the guard (on a new connection a second).
* *A server that stands still* while answers vary leaves no credit for those that are late. But then no later request is
  answered either, which is unusual. A tenth of the guard is saved up to hold the permits of such times.
* *Without a response* (cancelled, timed out, lost) it is unknown when a request is counted, if ever. Its connection is
  closed when its call ends, so it was written before that or never. The guard covers it, from its write or, where that
  was not seen, from the end of its call; with ``guard=inf``, ``RELEASED_UNSEEN_HOLD`` seconds. If it is given up after
  an unusual silence, the server may stand still, and count it when it goes on. Then the permit is held until ``per``
  after the first answer to a later request, at most for ``LONGEST_SILENCE_HOLD`` from the write.
* *With a session handed in* the end of a write is not seen, only ``l``. Its requests count as written when they are
  answered, and each as the first on a new connection.

**What breaks it.** A round trip that falls at once by more than the margin lets through as many requests as fit into
the difference, once (100 to 20 ms: 102). Two ways to the server with the same round trip and different shares of it, or
a way there that shrinks by as much as the way back grows, cannot be seen by any client (107 with 90 + 10 against 10 +
90 ms). So can delays *before* the count that vary by more than the guard for most requests, and a first byte that is
late on *each* new connection while answers take longer than two seconds (0.3 s late, answers after 3 s: 114, once, when
the first connections are used again). And so can a server that stands still for more than four seconds while the
timeout is shorter than that (5 s: 199). What helps then is the server's own word:

**A 429** although all this was kept says that an assumption does not hold on this path, or that another program uses
the token. The guard is doubled (up to one second), or, where it is infinite, the base is set aside, until a minute
passes without a 429.

``release.py`` decides when a permit comes back, ``permits.py`` keeps them, and ``benchmarks/limit_simulation`` plays
the rule against 42 worlds and tries to break it.

**Pacing.** The bound alone would allow ``limit`` requests back to back. So a token bucket of small ``burst``
(``pacing.py``) spaces the grants, and another one the writes, since connections that take different times to open would
bunch evenly spaced grants. Two to five is the useful size of the burst: 1 cannot catch up after a timer that fired
late, and more endangers a server that checks the spacing (GCRA). A saturated client paces at 0.998 of what its permits
sustain, ``limit / (per + mean hold)``, so that it does not run out of them in the middle of a second.

**Order.** Strict first in, first out within a lane; ordinary calls before bulk calls; in each lane retries before new
calls. Every grant comes from one dispatcher per event loop, in a turn of its own (``queue.py``). So no call overtakes
the queue, and no long turn of the loop grants requests that cannot be written in it. A turn lets few calls go, over all
tokens of the loop (``turns.py``), and the others go in the next turns. The cost of a grant does not depend on the
length of the queue, nor does the cost of a cancellation.

**After a 429** the whole token pauses until a monotonic deadline that only moves forward. So no request that finishes
can end the pause early. After it, the queue moves on in order, evenly, without a burst, at the reduced rate of
``AdaptiveRate``.
"""
