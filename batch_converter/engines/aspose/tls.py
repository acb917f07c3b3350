"""Whom the client trusts, and the certificate by which a service knows the client."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

from batch_converter.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from batch_converter.config import AsposeSettings

_CLIENT_CERTIFICATE_REFUSED: Final = (
    "CERTIFICATE_REQUIRED",
    "HANDSHAKE_FAILURE",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_UNKNOWN",
    "UNKNOWN_CA",
)
"""Alerts of the service's about what we have shown it, or have not (RFC 8446 6.2)."""


def tls_context(settings: AsposeSettings) -> ssl.SSLContext:
    """Return what connections are made with: roots, and a certificate where one is set; blocking.

    Raises:
        ConfigError: A file cannot be used; says which, why and what to do.
    """
    try:
        context = ssl.create_default_context(cafile=settings.ca_file)
    except OSError as error:
        msg = f"aspose.ca_file {settings.ca_file} cannot be used: {error}"
        raise ConfigError(msg) from error
    if settings.client_cert_file is not None:
        _show(context, settings.client_cert_file, settings.client_key_file)
    return context


def _show(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    for name, path in (("client_cert_file", certificate), ("client_key_file", key or certificate)):
        try:
            path.open("rb").close()
        except OSError as error:  # OpenSSL does not say which of the two it is
            msg = f"aspose.{name} {path} cannot be read: {error.strerror}"
            raise ConfigError(msg) from error
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except _EncryptedKeyError:
        raise ConfigError(_encrypted(key or certificate)) from None
    except ssl.SSLError as error:
        fault = _fault(error, certificate, key)
        msg = f"aspose.client_cert_file {certificate} cannot be used: {fault}"
        raise ConfigError(msg) from error


class _EncryptedKeyError(Exception):
    """The key asks for a password."""


def _no_password() -> str:
    """Stand in for OpenSSL's own question at the terminal, where nobody may be."""
    raise _EncryptedKeyError


def _encrypted(key: Path) -> str:
    return (
        f"the key in {key} is encrypted, and nobody is there to be asked for its password: give"
        " a key without one, in a file that only this user may read (openssl pkey -in KEY -out"
        " PLAIN, chmod 600 PLAIN), as aspose.client_key_file"
    )


def _fault(error: ssl.SSLError, certificate: Path, key: Path | None) -> str:
    if error.reason == "KEY_VALUES_MISMATCH":
        return f"the key in {key or certificate} belongs to another certificate"
    if key is None:
        return "it holds no certificate with its key in PEM; set aspose.client_key_file too"
    why = f" ({error.reason})" if error.reason else ""
    return f"it must hold a certificate, and {key} its key, both in PEM{why}"


def advice(error: BaseException, settings: AsposeSettings) -> str:
    """Return what to do where the service has refused the client's certificate, else nothing."""
    reason = _openssl_reason(error)
    if "ALERT" not in reason or not reason.endswith(_CLIENT_CERTIFICATE_REFUSED):
        return ""
    if settings.client_cert_file is None:
        return "; the service may want a certificate of its clients: set aspose.client_cert_file"
    return f"; the service does not take the certificate in {settings.client_cert_file}"


def _openssl_reason(error: BaseException) -> str:
    """Return OpenSSL's word for what went wrong; aiohttp's own `SSLError` has none."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLError) and (reason := getattr(cause, "reason", None)):
            return str(reason)
        cause = cause.__cause__
    return ""
