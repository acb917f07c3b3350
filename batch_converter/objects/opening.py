"""From an address and the settings to a store of obstore, which is an extra."""

from __future__ import annotations

import importlib
import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from batch_converter.config import is_loopback
from batch_converter.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType

    from batch_converter.config import RemoteSettings, RetrySettings
    from batch_converter.objects.address import ObjectAddress

_CONNECT_TIMEOUT: Final = timedelta(seconds=10)
_SILENCE_TIMEOUT: Final = timedelta(seconds=60)
_NO_TIMEOUT: Final = timedelta(days=30)
"""Of a whole request: obstore's own would end every long download."""

_ENDPOINT_VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "s3": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
    "gs": ("GOOGLE_BASE_URL",),
    "az": ("AZURE_STORAGE_ENDPOINT", "AZURE_ENDPOINT"),
}
_ENDPOINT_KEYS: Final = {"s3": "endpoint", "gs": "base_url", "az": "endpoint"}


def load_obstore(address: ObjectAddress) -> ModuleType:
    """Return obstore, which takes as long to load as `status` to answer, and is an extra.

    Raises:
        UsageError: It is not installed.
    """
    try:
        importlib.import_module("obstore.exceptions")
        importlib.import_module("obstore.store")
        return importlib.import_module("obstore")
    except ImportError as error:
        raise UsageError(
            f"{address.scheme}:// needs the extra [remote], which is not installed:"
            " pip install 'batch-converter[remote]'"
        ) from error


def open_store(
    base: ObjectAddress,
    remote: RemoteSettings,
    retry: RetrySettings,
    *,
    upload_timeout: timedelta | None = None,
) -> Any:  # noqa: ANN401  # one of obstore's classes, which share no base
    """Return a store that is asked nothing yet; its credentials are obstore's affair.

    Args:
        base: Bucket, container or host.
        remote: How it is reached.
        retry: Tries and waits.
        upload_timeout: What one upload may take in all; silence is no sign while bytes leave.

    Raises:
        UsageError: Plain http would go to another machine, or the environment is malformed.
    """
    obstore = load_obstore(base)
    timeouts = {"timeout": _NO_TIMEOUT, "read_timeout": _SILENCE_TIMEOUT}
    if upload_timeout is not None:
        timeouts = {"timeout": upload_timeout}
    client_options = {
        "connect_timeout": _CONNECT_TIMEOUT,
        "allow_http": _may_use_http(base, remote),
        **timeouts,
    }
    options: dict[str, Any] = {
        "client_options": client_options,
        "retry_config": _retry_config(retry),
    }
    if base.is_listed:
        options["config"] = _config(base, remote)
    try:
        return obstore.store.from_url(str(base), **options)
    except (obstore.exceptions.BaseError, ValueError) as error:
        # Its words may hold what stands in a variable.
        raise UsageError(
            f"{base} cannot be used: a variable of its environment"
            f" (AWS_*, GOOGLE_*, AZURE_*) is missing or malformed ({type(error).__name__})"
        ) from None


def _config(base: ObjectAddress, remote: RemoteSettings) -> dict[str, Any]:
    config: dict[str, Any] = {}
    if remote.endpoint is not None:
        config[_ENDPOINT_KEYS[base.scheme]] = remote.endpoint
    if remote.region is not None and base.scheme == "s3":
        config["region"] = remote.region
    if remote.anonymous:
        config["skip_signature"] = True
    return config


def _retry_config(retry: RetrySettings) -> dict[str, Any]:
    return {
        "max_retries": retry.request_attempts - 1,
        "retry_timeout": timedelta(seconds=retry.unavailable_after_s),
        "backoff": {
            "init_backoff": timedelta(seconds=retry.initial_wait_s),
            "max_backoff": timedelta(seconds=retry.max_wait_s),
            "base": 2,
        },
    }


def _may_use_http(base: ObjectAddress, remote: RemoteSettings) -> bool:
    """Whether plain http is spoken: where the address says so, and that is fine.

    Raises:
        UsageError: It says so, and the bytes would go to another machine.
    """
    address = endpoint_of(base, remote)
    if urlsplit(address).scheme != "http":
        return False
    host = urlsplit(address).hostname or ""
    if remote.allow_http or is_loopback(host):
        return True
    raise UsageError(
        f"{host} would be spoken to by plain http, where what is sent can be read on the way; use"
        " https, or set remote.allow_http = true"
    )


def endpoint_of(base: ObjectAddress, remote: RemoteSettings) -> str:
    """Return where a store is reached, where that is not the provider's own; empty else."""
    if not base.is_listed:
        return str(base)
    names = _ENDPOINT_VARIABLES[base.scheme]
    from_environment = next((os.environ[name] for name in names if os.environ.get(name)), "")
    return remote.endpoint or from_environment
