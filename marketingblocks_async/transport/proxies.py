"""The proxy that a request goes through: the one of the settings, or of the environment as for other programs."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

from yarl import URL

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.urls import can_be_looked_up, is_loopback


class Proxies:
    """Chooses the proxy of each address.

    The variables are those that curl, requests and httpx read: ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and
    ``NO_PROXY``, in upper or lower case (documented for ``urllib.request.getproxies``, which also reads the settings of
    macOS and Windows). Loopback addresses never go through a proxy.

    Args:
        proxy: address of a proxy for all hosts; ``""`` for none; ``None`` for what the environment says now.

    Raises:
        ConfigurationError: a proxy is neither http nor https, or its address cannot be read.

    """

    def __init__(self, proxy: str | None) -> None:
        self._from_environment = proxy is None
        found = getproxies() if proxy is None else {"all": proxy}
        self._by_scheme = {scheme: address for scheme, address in found.items() if address and scheme != "no"}
        self._by_origin: dict[tuple[str, str | None, int | None], str | None] = {}
        for scheme in ("https", "http", "all"):
            if (address := self._by_scheme.get(scheme)) is not None:
                # Some programs accept an address without a scheme.
                address = self._by_scheme[scheme] = address if "://" in address else f"http://{address}"
                _check(address, "proxy" if proxy is not None else f"{scheme.upper()}_PROXY")

    def __bool__(self) -> bool:
        """Return whether any host may have a proxy."""
        return any(scheme in self._by_scheme for scheme in ("https", "http", "all"))

    def of(self, url: URL) -> str | None:
        """Return the address of the proxy for ``url``, ``None`` for none."""
        origin = url.scheme, url.host, url.port
        if origin not in self._by_origin:
            self._by_origin[origin] = self._choose(url)
        return self._by_origin[origin]

    def _choose(self, url: URL) -> str | None:
        host = url.host or ""
        # An entry of NO_PROXY may have a port. The host is also looked up by itself, since an IPv6 address has brackets
        # only in front of a port.
        names = (host, f"{url.host_subcomponent}:{url.port}")
        if is_loopback(host) or (self._from_environment and any(map(proxy_bypass, names))):
            return None
        return self._by_scheme.get(url.scheme, self._by_scheme.get("all"))


def _check(address: str, source: str) -> None:
    # The address is not shown whole: it may hold a password.
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
