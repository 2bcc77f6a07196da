"""The proxy that a request goes through: the one of the settings, or of the environment as for other programs."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_address, ip_network
from urllib.request import getproxies, proxy_bypass

from yarl import URL

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.urls import can_be_looked_up, is_loopback


class Proxies:
    """Chooses the proxy of each address.

    The variables are those that curl, requests and httpx read: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and
    ``NO_PROXY``, in upper or lower case (documented for ``urllib.request.getproxies``, which also reads the settings of
    macOS and Windows). Entries of ``NO_PROXY`` may be networks such as ``10.0.0.0/8``, as for curl and requests.
    Loopback addresses never go through a proxy.

    Args:
        proxy: address of a proxy for all hosts; ``""`` for none; ``None`` for what the environment says now.

    Raises:
        ConfigurationError: ``proxy`` is neither http nor https, or its address cannot be read.

    """

    def __init__(self, proxy: str | None) -> None:
        self._from_environment = proxy is None
        found = getproxies() if proxy is None else {"all": proxy}
        self._by_scheme = {scheme: address for scheme, address in found.items() if address and scheme != "no"}
        self._no_proxy = found.get("no", "")
        self._by_origin: dict[tuple[str, str | None, int | None], str | None] = {}
        if proxy:
            _checked(proxy, "proxy")

    def __bool__(self) -> bool:
        """Return whether any host may have a proxy."""
        return any(scheme in self._by_scheme for scheme in ("https", "http", "all"))

    def of(self, url: URL) -> str | None:
        """Return the address of the proxy for ``url``, ``None`` for none.

        Raises:
            ConfigurationError: the environment names one that is neither http nor https, or cannot be read.

        """
        origin = url.scheme, url.host, url.port
        if origin not in self._by_origin:
            self._by_origin[origin] = self._choose(url)
        return self._by_origin[origin]

    def _choose(self, url: URL) -> str | None:
        host = url.host or ""
        # An entry of NO_PROXY may have a port. The host is also looked up by itself, since an IPv6 address has brackets
        # only in front of a port.
        names = (host, f"{url.host_subcomponent}:{url.port}")
        if is_loopback(host) or (
            self._from_environment and (any(map(proxy_bypass, names)) or _is_in_a_network(host, self._no_proxy))
        ):
            return None
        scheme = url.scheme if url.scheme in self._by_scheme else "all"
        address = self._by_scheme.get(scheme)
        # Not before: variables that say nothing of this address are of other programs.
        return None if address is None else _checked(address, f"{scheme.upper()}_PROXY")


def _is_in_a_network(host: str, no_proxy: str) -> bool:
    """Return whether ``host`` is an IP address in one of the networks among the entries of ``NO_PROXY``."""
    for entry in no_proxy.split(",") if "/" in no_proxy else ():
        # Most entries are names, and most hosts, too.
        with suppress(ValueError):
            if ip_address(host) in ip_network(entry.strip(), strict=False):
                return True
    return False


def _checked(address: str, source: str) -> str:
    """Return the address of a proxy, with a scheme; raise ``ConfigurationError`` if it cannot be used."""
    # Some programs accept an address without a scheme.
    address = address if "://" in address else f"http://{address}"
    # It is not shown whole: it may hold a password.
    try:
        url = URL(address)
    except ValueError:
        url = URL()
    if url.scheme not in ("http", "https", ""):
        msg = (
            f"{source} names a proxy of the kind {url.scheme!r}; only http:// and https:// can be used. "
            "Set NO_PROXY for the API's host, or pass proxy='http://…' ('' for none)"
        )
        raise ConfigurationError(msg)
    if not can_be_looked_up((url.raw_host or "").removesuffix(".")):
        msg = (
            f"{source} is no address of a proxy; write http://host:port. In a user name or a password, write %40 for "
            "@, %23 for #, %2F for / and %3F for ?"
        )
        raise ConfigurationError(msg)
    return address
