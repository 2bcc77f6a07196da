"""The page at the sandbox's root: arrivals against the limit, posts, faults, ledger. No build step, no outside address.

``page.html``, ``style.css`` and ``script.js`` are served as they are; ``state`` is what the script asks for.
"""

from .pages import DASHBOARD_PREFIX, dashboard_page
from .state import DashboardState

__all__ = ["DASHBOARD_PREFIX", "DashboardState", "dashboard_page"]
