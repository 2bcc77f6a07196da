"""Requests and responses over aiohttp."""
