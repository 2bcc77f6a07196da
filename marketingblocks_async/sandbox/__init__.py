"""The documented MarketingBlocks API as a local, stateful server.

It is for tests, demos and benchmarks without an account. In the running event loop::

    from marketingblocks_async.sandbox import Fault, Sandbox

    async with Sandbox(faults=[Fault("commit_then_drop", endpoint="create-post", times=1)]) as sandbox:
        async with MarketingBlocks(token=sandbox.token, base_url=sandbox.base_url) as client:
            ...
        assert sandbox.ledger.worst_window() <= 100
        assert not sandbox.ledger.duplicates()

In a process of its own: :class:`SandboxProcess`, or ``marketingblocks sandbox --help``.

The *ledger* is the judge: it records on the server's side what arrived, when, and what was carried out. A *fault* is
scripted: which request goes wrong, how, and whether it is carried out all the same.

It shares the models and the endpoint table with the client and nothing else. Its rate-limit policies are written apart
from the client's limiter, because a mistake made in both would hide itself.

What is documented and what is a guess
--------------------------------------

Documented, and followed: paths, methods, permissions, the bearer header; the required fields, types and words of the
requests; the error body ``{"status": false, "message": ...}``; the answers of Find Post, upcoming-posts and
create-post-generation; the names ``connect_url`` and ``connect_token``; 100 requests per second and token; the names
and meanings of a post's states.

Guesses, because the documentation is silent. Do not rely on them against the real API:

- how the 100 requests are counted: the default is a sliding log of accepted requests; other policies are selectable;
- that an excess is answered 429 at once, and whether there is a ``Retry-After`` (default: none; selectable);
- 401 for a missing, unknown or expired token, 403 for a missing permission (selectable);
- 422 with an ``errors`` map for an invalid request, 400 for a body that is no JSON, 404 for an unknown post;
- the answers of create-post and get-posts (selectable shapes) and of the two comment automation calls;
- the order in which token, limit, path, permission and content are checked;
- the format of ``schedule_time`` in answers, ``permalink`` being null before publishing, ids counting up from 1;
- how long a post is pending and processing, when the slots of the queue are, that several ``share_next`` posts go out
  in the order in which they were created, and that a schedule time in the past means at once;
- the default number and the order (newest first) of get-posts, and that all tokens belong to one account;
- that a post can become ``failed`` only by a fault, and that none is ever a ``draft``;
- the payload that a web hook receives (the documented object with ``"status": "success"`` and ``posts``), and that
  it is delivered once, without a second try;
- the sign-in page, and ``channel_id`` in the query of the address that it returns to;
- whether an update of a comment automation resets what it omits (default: no; selectable);
- the documentation's answers to questions, which here are excerpts of a few sentences.

Everything under ``/_sandbox`` belongs to the sandbox alone.
"""

from .faults import FAULT_KINDS, ArmedFault, Fault, FaultKind, FaultPlan
from .ledger import (
    MISSING_TOKEN,
    NO_ANSWER,
    UNKNOWN_PATH,
    UNKNOWN_TOKEN,
    Commit,
    Comparison,
    Duplicate,
    EndpointRecord,
    EndpointReport,
    FaultFiring,
    Ledger,
    LedgerReport,
    Miscount,
    TokenRecord,
    TokenReport,
    WebHookDelivery,
    average_rate,
    identity_of,
    worst_window,
)
from .policies import (
    FixedWindow,
    Gcra,
    Policy,
    PolicyName,
    SlidingLog,
    SlidingLogStrict,
    TokenBucket,
    Unlimited,
    make_policy,
)
from .process import SandboxProcess, SandboxProcessError
from .server import Sandbox
from .settings import CreatePostShape, GetPostsShape, SandboxOptions, SandboxSettings, Variants
from .state.automations import Automations
from .state.connections import Connections, SandboxConnection
from .state.generations import Generations, SandboxGeneration
from .state.posts import PostStore, PostTimings, SandboxPost, UpcomingPost
from .state.tokens import DEFAULT_TOKEN, TokenSpec

__all__ = [
    "DEFAULT_TOKEN",
    "FAULT_KINDS",
    "MISSING_TOKEN",
    "NO_ANSWER",
    "UNKNOWN_PATH",
    "UNKNOWN_TOKEN",
    "ArmedFault",
    "Automations",
    "Commit",
    "Comparison",
    "Connections",
    "CreatePostShape",
    "Duplicate",
    "EndpointRecord",
    "EndpointReport",
    "Fault",
    "FaultFiring",
    "FaultKind",
    "FaultPlan",
    "FixedWindow",
    "Gcra",
    "Generations",
    "GetPostsShape",
    "Ledger",
    "LedgerReport",
    "Miscount",
    "Policy",
    "PolicyName",
    "PostStore",
    "PostTimings",
    "Sandbox",
    "SandboxConnection",
    "SandboxGeneration",
    "SandboxOptions",
    "SandboxPost",
    "SandboxProcess",
    "SandboxProcessError",
    "SandboxSettings",
    "SlidingLog",
    "SlidingLogStrict",
    "TokenBucket",
    "TokenRecord",
    "TokenReport",
    "TokenSpec",
    "Unlimited",
    "UpcomingPost",
    "Variants",
    "WebHookDelivery",
    "average_rate",
    "identity_of",
    "make_policy",
    "worst_window",
]
