"""The proxy that the environment names for an address, by the variables that curl knows, too.

aiohttp looks there as well (`trust_env`), and takes a password of `.netrc` along, which nobody
has asked for.
"""

from __future__ import annotations

import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from yarl import URL


def environment_proxy(address: URL) -> str | None:
    """Return the proxy for an address; None where there is none, or `NO_PROXY` names its host."""
    host = address.host or ""
    if urllib.request.proxy_bypass(f"{host}:{address.port}") or urllib.request.proxy_bypass(host):
        return None
    proxies = urllib.request.getproxies()
    return proxies.get(address.scheme) or proxies.get("all")
