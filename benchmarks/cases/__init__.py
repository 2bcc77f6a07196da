"""What is measured, one question a module.

A case is an asynchronous generator of records: it is given a :class:`~benchmarks.plan.Plan` and yields each result as
soon as it has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import MappingProxyType

from benchmarks.plan import Plan
from benchmarks.records import Record

from .faults import faults
from .imports import imports
from .journal import journal
from .layers import layers
from .limit import limit
from .memory import memory
from .processes import processes
from .throughput import throughput
from .tokens import tokens
from .waiting import waiting

CASES: MappingProxyType[str, Callable[[Plan], AsyncIterator[Record]]] = MappingProxyType(
    {
        "limit": limit,
        "faults": faults,
        "throughput": throughput,
        "layers": layers,
        "journal": journal,
        "memory": memory,
        "waiting": waiting,
        "tokens": tokens,
        "processes": processes,
        "imports": imports,
    }
)
"""All cases, in the order in which they are measured unless some are asked for."""
