"""The figures by their names in the results: their meaning, and whether less is better."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Kind(Enum):
    """The kind of a figure, which decides how it may be compared.

    ``COUNT``: exact, and the same on every machine. ``RATIO``: of two times of one round, so it depends little on the
    machine. ``TIME``: comparable only on the same machine.
    """

    COUNT = "count"
    RATIO = "ratio"
    TIME = "time"


@dataclass(frozen=True, slots=True)
class Figure:
    """The meaning of a figure.

    Attributes:
        words: its description, with its unit.
        kind: decides how it may be compared.
        lower_is_better: whether less is better.

    """

    words: str
    kind: Kind
    lower_is_better: bool = True


FIGURES = MappingProxyType(
    {
        "worst_second": Figure("most requests of a token in any second", Kind.COUNT),
        "duplicates": Figure("posts that were created once too often", Kind.COUNT),
        "copies_of_one": Figure("how often one post was created", Kind.COUNT),
        "refused_fixed_window": Figure("429s of a fixed window", Kind.COUNT),
        "refused_sliding_log": Figure("429s of a sliding log", Kind.COUNT),
        "refused_token_bucket": Figure("429s of a token bucket", Kind.COUNT),
        "refused_gcra": Figure("429s of GCRA", Kind.COUNT),
        "rate_to_raw": Figure("calls per second, as a share of bare aiohttp's", Kind.RATIO, lower_is_better=False),
        "rate_to_without": Figure("posts per second, as a share of create_many's", Kind.RATIO, lower_is_better=False),
        "cpu_to_raw": Figure("processor time of a call, in that of bare aiohttp's", Kind.RATIO),
        "seconds_to_libraries": Figure("import time, in that of the four libraries", Kind.RATIO),
        "wall_to_ideal": Figure("time for all creates, in that of an even 100 per second", Kind.RATIO),
        "rate_to_limit": Figure("rate, as a share of the tokens' limits", Kind.RATIO, lower_is_better=False),
        "unfairness": Figure("time of the slowest process, in that of the quickest", Kind.RATIO),
        "bytes": Figure("bytes per waiting call", Kind.RATIO),
        "blocks": Figure("blocks of memory per waiting call", Kind.RATIO),
        "rate": Figure("requests per second", Kind.TIME, lower_is_better=False),
        "cpu": Figure("processor microseconds per call", Kind.TIME),
        "seconds": Figure("seconds", Kind.TIME),
        "wait_p50": Figure("seconds until half of the creates were answered", Kind.TIME),
        "wait_p99": Figure("seconds until 99 % of the creates were answered", Kind.TIME),
        "wait_max": Figure("seconds until all creates were answered", Kind.TIME),
        "slowest_token": Figure("rate of the slowest token", Kind.TIME, lower_is_better=False),
        "starting": Figure("seconds to start all calls", Kind.TIME),
        "cancelling": Figure("seconds to cancel all calls", Kind.TIME),
    }
)
"""The figures that two runs are compared by. The results hold more."""
