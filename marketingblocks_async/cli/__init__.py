"""The ``marketingblocks`` command (extra ``cli``). Nothing here is imported by the client."""
