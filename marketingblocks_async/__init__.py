"""Asyncio client for the MarketingBlocks API."""
