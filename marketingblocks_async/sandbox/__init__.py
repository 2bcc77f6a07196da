"""The documented MarketingBlocks API as a local, stateful server.

Use it for tests, demos and benchmarks without an account. In the running event loop:

```python
from marketingblocks_async.sandbox import Fault, Sandbox

drop = Fault("commit_then_drop", endpoint="create-post", times=1)
async with Sandbox(faults=[drop]) as sandbox:
    async with MarketingBlocks(token=sandbox.token, base_url=sandbox.base_url) as client:
        ...
    assert sandbox.ledger.worst_window() <= 100
    assert not sandbox.ledger.duplicates()
```

In a process of its own: ``SandboxProcess``, or ``marketingblocks sandbox --help``.

The *ledger* records every request on the server's side: when it arrived, and whether it was carried out. Tests judge
the client by it. A *fault* is scripted: it says which requests go wrong, how, and whether they are carried out.

The sandbox shares only the models, the endpoint table, the error classes and the check of loopback addresses with the
client. All that counts, responds or decides is its own code, so that a bug in the client is not mirrored here.

**Documented, and followed:** paths, methods, permissions, the bearer header; the required fields, types and words of
the requests; the error body ``{"status": false, "message": ...}``; the responses to Find Post, upcoming-posts and
create-post-generation; the names ``connect_url`` and ``connect_token``; 100 requests per second and token; the names
and meanings of a post's states.

**Guesses**, because the documentation is silent. Do not rely on them with the real API:

- how the 100 requests are counted: the default is a sliding log of accepted requests; other policies are selectable;
- that an excess is answered 429 at once, and whether there is a ``Retry-After`` (default: none; selectable);
- 401 for a missing, unknown or expired token, 403 for a missing permission (selectable);
- 422 with an ``errors`` map for an invalid request, 400 for a body that is no JSON, 404 for an unknown post;
- the responses to create-post and get-posts (selectable shapes) and to the two comment automation calls;
- the order in which token, limit, path, permission and content are checked;
- the format of ``schedule_time`` in responses, ``permalink`` being null before publishing, ids counting up from 1;
- how long a post is pending and processing, when the slots of the queue are, that several ``share_next`` posts go out
  in the order in which they were created, and that a schedule time in the past means at once;
- the default number and the order (newest first) of get-posts, and that all tokens belong to one account;
- that a post can become ``failed`` only by a fault, and that none is ever a ``draft``;
- the payload that a web hook receives (the documented object with ``"status": "success"`` and ``posts``), and that
  it is delivered once, without a second try;
- the sign-in page, and ``channel_id`` in the query of the address that it returns to;
- whether an update of a comment automation resets what it omits (default: no; selectable);
- the text of the documentation's answers, which here are excerpts of a few sentences.

Everything under ``/_sandbox`` belongs to the sandbox alone.
"""

from .errors import SandboxError, SandboxProcessError
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
    AnchoredWindow,
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
from .process import SandboxProcess
from .scenario import ScenarioReport
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
    "AnchoredWindow",
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
    "SandboxError",
    "SandboxGeneration",
    "SandboxOptions",
    "SandboxPost",
    "SandboxProcess",
    "SandboxProcessError",
    "SandboxSettings",
    "ScenarioReport",
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
