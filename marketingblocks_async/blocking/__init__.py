"""The client and bulk runs for code that does not await: scripts, notebooks, Django, cron.

Names, arguments, results and errors are those of ``marketingblocks_async`` and ``bulk``.
"""

from .client import BulkRun, CreateMany, Journal, MarketingBlocks, create_journal

__all__ = ["BulkRun", "CreateMany", "Journal", "MarketingBlocks", "create_journal"]
