"""Environment variables that a cluster sets in a container, and that look like settings.

Kubernetes and Docker tell a container where the services beside it are, in variables
that begin with the service's name. A service named `batch-converter` makes them look like
settings (kubernetes.io, "Accessing the Service", environment variables).
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_ADDRESS: Final = re.compile(r"(tcp|udp|sctp)://\S+", re.IGNORECASE)


def is_service_link(name: str, value: str) -> bool:
    """Whether a variable is such a link, by the end of its name and the form of its value.

    Both must fit: `BATCH_CONVERTER_SERVE_PORT=8080` is a setting misspelt.
    """
    return any(ending.search(name) is not None and fits(value) for ending, fits in _FORMS)


def _is_address(value: str) -> bool:
    return _ADDRESS.fullmatch(value) is not None


def _is_host(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _is_protocol(value: str) -> bool:
    return value.lower() in {"tcp", "udp", "sctp"}


def _is_port(value: str) -> bool:
    return value.isascii() and value.isdecimal()


_FORMS: Final[tuple[tuple[re.Pattern[str], Callable[[str], bool]], ...]] = (
    (re.compile(r"_PORT(_[0-9]+_(TCP|UDP|SCTP))?$"), _is_address),
    (re.compile(r"_PORT_[0-9]+_(TCP|UDP|SCTP)_PROTO$"), _is_protocol),
    (re.compile(r"_PORT_[0-9]+_(TCP|UDP|SCTP)_PORT$"), _is_port),
    (re.compile(r"_PORT_[0-9]+_(TCP|UDP|SCTP)_ADDR$"), _is_host),
    (re.compile(r"_SERVICE_HOST$"), _is_host),
    (re.compile(r"_SERVICE_PORT(_[A-Z0-9_]+)?$"), _is_port),
)
