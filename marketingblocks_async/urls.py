"""The checks of addresses that the client, the receiver of web hooks and the sandbox share."""

from __future__ import annotations

from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is this machine, so that what is sent to it cannot leave the machine.

    Args:
        host: a host name in lower case or an IP address without brackets. ``localhost``, names that end with
            ``.localhost`` (RFC 6761), 127.0.0.0/8 and ``::1`` are loopback addresses; other names are not looked up.

    """
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def can_be_looked_up(host: str) -> bool:
    """Return whether the resolver takes ``host``, rather than raise a ``ValueError`` that nothing expects.

    Args:
        host: a host name in ASCII, without a dot at its end, or an IP address without brackets.

    """
    return len(host) <= 253 and all(0 < len(label) < 64 for label in host.split("."))
