"""Who asks, and by which name: of the connection, or of `X-Forwarded-*` from named proxies."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aiohttp import hdrs, web

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_AUTHORITY: Final = re.compile(
    r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::(?P<port>[0-9]{1,5}))?", re.ASCII | re.IGNORECASE
)
_WITH_PORT: Final = re.compile(r"\[(?P<six>[^\]]+)\](?::\d+)?|(?P<four>[\d.]+):\d+", re.ASCII)
_NEIGHBOURS_BITS: Final = 64
"""Of an IPv6 address: whoever has one has all that begin alike."""

_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """What is known of where a request comes from.

    Attributes:
        address: The client's; of a trusted proxy's, the one that it names.
        scheme: `http` or `https`, as the client used it.
        authority: Host and port as the client used them, in small letters; empty where
            it gave none, and None where what it gave is none.
        prefix: The path below which a proxy shows the service, without a slash at its end.
    """

    address: str
    scheme: str
    authority: str | None
    prefix: str = ""

    @property
    def host(self) -> str | None:
        """The authority's host, without brackets, port and the root's dot."""
        match = _AUTHORITY.fullmatch(self.authority or "")
        return match and match["host"].strip("[]").removesuffix(".")


CALLER: Final = web.RequestKey("caller", Caller)
"""Set on every request by the first guard."""


class Proxies:
    """The reverse proxies whose word is taken.

    Args:
        networks: Theirs.
    """

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def trusts(self, address: str) -> bool:
        """Whether the address is one of theirs."""
        parsed = _parsed(address)
        return parsed is not None and any(parsed in network for network in self._networks)

    def caller(self, request: web.BaseRequest) -> Caller:
        """Return who asks.

        Each proxy appends the address that it was asked from, so the last one that is no
        trusted proxy's is the client; what stands before it anybody may have written.
        Scheme, name and path are taken from the entry that was written beside it.
        """
        peer = _unmapped(request.remote or "")
        if not self.trusts(peer):
            return Caller(address=peer, scheme=request.scheme, authority=_authority(request))
        hops = _values(request, "X-Forwarded-For")
        address, hop = self._client(peer, hops)
        scheme = _said(request, "X-Forwarded-Proto", hop).casefold()
        authority = _said(request, "X-Forwarded-Host", hop)
        prefix = _said(request, "X-Forwarded-Prefix", hop).rstrip("/")
        return Caller(
            address=address,
            scheme=scheme if scheme in {"http", "https"} else request.scheme,
            authority=_checked(authority) if authority else _authority(request),
            prefix=prefix if _PREFIX.fullmatch(prefix) else "",
        )

    def _client(self, peer: str, hops: Sequence[str]) -> tuple[str, int]:
        """Return the client's address, and how many entries from the end it stands (from 1)."""
        address = peer
        for hop, entry in enumerate(reversed(hops), start=1):
            named = _parsed(_without_port(entry))
            if named is None:  # "unknown", or not even that: the proxy is all that is known
                return address, hop
            address = _unmapped(str(named))
            if not self.trusts(address):
                return address, hop
        return address, max(1, len(hops))


def neighbourhood(address: str) -> str:
    """Return what stands for all addresses of whoever has this one."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, _NEIGHBOURS_BITS), strict=False))


def _values(request: web.BaseRequest, name: str) -> list[str]:
    """Return the entries of a list, which may stand in several headers."""
    text = ",".join(request.headers.getall(name, ()))
    return [entry.strip() for entry in text.split(",") if entry.strip()]


def _said(request: web.BaseRequest, name: str, hop: int) -> str:
    """Return the entry of this hop, counted from the end; a list may be shorter than the way."""
    values = _values(request, name)
    return values[-min(hop, len(values))] if values else ""


def _authority(request: web.BaseRequest) -> str | None:
    """Return whom the request names: in its target, else in its one `Host`."""
    target = request._message.url  # noqa: SLF001  # the target as sent; `request.url` has `Host` mixed in
    if target.absolute and target.raw_host:
        return _checked(target.raw_authority)
    given = request.headers.getall(hdrs.HOST, ())
    if len(given) > 1:
        return None
    return _checked(given[0]) if given and given[0] else ""


def _checked(authority: str) -> str | None:
    return authority.lower() if _AUTHORITY.fullmatch(authority) else None


def _without_port(entry: str) -> str:
    match = _WITH_PORT.fullmatch(entry)
    return match["six"] or match["four"] if match else entry


def _parsed(address: str) -> _Address | None:
    try:
        return ipaddress.ip_address(_unmapped(address.partition("%")[0]))
    except ValueError:
        return None


def _unmapped(address: str) -> str:
    """Return an IPv4 address as such also where an IPv6 socket has accepted it."""
    return address.removeprefix("::ffff:") if "." in address else address
