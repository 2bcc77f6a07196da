"""Scripted faults: their kinds, and which request meets one."""
