"""Scripted faults: their kinds, and which request meets one."""

from .faults import ENDPOINT_NAMES, ArmedFault, Fault, FaultPlan
from .kinds import FAULT_KINDS, FaultKind

__all__ = ["ENDPOINT_NAMES", "FAULT_KINDS", "ArmedFault", "Fault", "FaultKind", "FaultPlan"]
