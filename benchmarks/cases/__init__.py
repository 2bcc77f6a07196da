"""What is measured, one question a module.

A case is an asynchronous generator of records: it is given a ``Plan`` and yields each result as
soon as it has it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from types import MappingProxyType

from benchmarks.cases.faults import faults
from benchmarks.cases.imports import imports
from benchmarks.cases.journal import journal
from benchmarks.cases.layers import layers
from benchmarks.cases.limit import limit
from benchmarks.cases.memory import memory
from benchmarks.cases.processes import processes
from benchmarks.cases.throughput import throughput
from benchmarks.cases.tokens import tokens
from benchmarks.cases.waiting import waiting
from benchmarks.plan import Plan
from benchmarks.records import Record

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
