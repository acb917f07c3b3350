"""Names of machines and networks, and addresses, as people write them."""

from __future__ import annotations

import ipaddress
import re
from typing import Final
from urllib.parse import SplitResult, urlsplit

_HOST: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?", re.ASCII)


def parse_host(value: str) -> str:
    """Return a name or address as `Host` is compared with it: small, without the root's dot.

    Raises:
        ValueError: It is none; an address with a scheme, a port or a path among them.
    """
    name = str(value).strip().lower().removesuffix(".").removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(name))
    except ValueError:
        if _HOST.fullmatch(name):
            return name
    msg = f"{value!r} is not the name of a host; write it alone, such as ocr.example.org"
    raise ValueError(msg)


def parse_network(value: str) -> str:
    """Return an address, or a network such as `10.0.0.0/8`, as a network.

    Raises:
        ValueError: It is neither.
    """
    try:
        return str(ipaddress.ip_network(str(value).strip()))
    except ValueError as error:
        msg = f"{value!r} is neither an address nor a network such as 10.0.0.0/8: {error}"
        raise ValueError(msg) from None


def split_url(url: str) -> SplitResult | None:
    """Split what is an address at all, else None; the reasons of `urlsplit` would echo it."""
    try:
        parts = urlsplit(url)
        bad_port = parts.port == 0
    except ValueError:
        return None
    return None if bad_port or any(char.isspace() for char in url) else parts


def split_place(key: str, url: str) -> SplitResult:
    """Split an http or https address that says where something is, and nothing else.

    Raises:
        ValueError: It is none, or says more; a password in it is not echoed.
    """
    parts = split_url(url)
    if parts is None or parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"{key} must be an http or https address")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError(f"{key} must not carry a user, a password, a query or a fragment")
    return parts


def is_loopback(host: str) -> bool:
    """Whether the host is this machine by its name or address alone."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
