"""The proxy that a request goes through: the one of the settings, or of the environment as for other programs."""

from __future__ import annotations

from urllib.request import getproxies, proxy_bypass

from yarl import URL

from marketingblocks_async.errors import ConfigurationError
from marketingblocks_async.urls import is_loopback


class Proxies:
    """Chooses the proxy of each host.

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
        self._by_host: dict[str | None, str | None] = {}
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
        host = url.host
        if host not in self._by_host:
            self._by_host[host] = self._choose(url.scheme, host or "")
        return self._by_host[host]

    def _choose(self, scheme: str, host: str) -> str | None:
        if is_loopback(host) or (self._from_environment and proxy_bypass(host)):
            return None
        return self._by_scheme.get(scheme, self._by_scheme.get("all"))


def _check(address: str, source: str) -> None:
    # The address is not shown whole: it may hold a password.
    try:
        url = URL(address)
        has_host = bool(url.host) and url.port is not None
    except ValueError:
        msg = (
            f"{source} is no address of a proxy; write http://host:port. In a user name or a password, write %40 for "
            "@, %23 for #, %2F for / and %3F for ?"
        )
        raise ConfigurationError(msg) from None
    if url.scheme not in ("http", "https") or not has_host:
        msg = (
            f"{source} names a proxy of the kind {url.scheme!r}; only http:// and https:// can be used. "
            "Set NO_PROXY for the API's host, or pass proxy='http://…' ('' for none)"
        )
        raise ConfigurationError(msg)
