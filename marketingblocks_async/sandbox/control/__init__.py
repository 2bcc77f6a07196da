"""The control API and the dashboard of a running sandbox."""

from .control import CONTROL_PREFIX, BadControlRequestError, Control, armed_faults

__all__ = ["CONTROL_PREFIX", "BadControlRequestError", "Control", "armed_faults"]
