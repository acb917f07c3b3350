"""What an object store answers when it does not do what is asked, in words without secrets.

obstore's own messages hold addresses, which may be signed, and bodies of answers: of those
only the HTTP status and the error's code are told.
"""

from __future__ import annotations

import errno
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,64})</Code>")
_KEY: Final = re.compile(r'[Pp]ath "([^"]*)"')
_NO_CREDENTIALS: Final = ("169.254.169.254", "metadata.google.internal", "token request")

_ADVICE: Final[Mapping[str, str]] = {
    "NoSuchBucket": "there is no such bucket",
    "ContainerNotFound": "there is no such container",
    "AccessDenied": "access is denied to these credentials",
    "InvalidAccessKeyId": "the access key is not known there",
    "SignatureDoesNotMatch": "the secret does not belong to the access key",
    "ExpiredToken": "the session's token has expired",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set remote.region",
    "PermanentRedirect": "the bucket is in another region; set remote.region",
}


class StoreError(OSError):
    """A request failed; `strerror` says why, in one clause.

    Attributes:
        is_passing: The store did not answer, or not now: another try may help.
    """

    def __init__(self, reason: str, *, number: int = errno.EIO, is_passing: bool = False) -> None:
        super().__init__(number, reason)
        self.is_passing = is_passing


class ObjectExistsError(StoreError):
    """An object was to be created, and there is one."""


class ObjectChangedError(StoreError):
    """An object is not the version that was meant."""


def failure(error: Exception) -> OSError:
    """Return what an error of obstore means."""
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, "there is no such object")
    kind = type(error).__name__
    if kind == "AlreadyExistsError":
        return ObjectExistsError("there is such an object already", number=errno.EEXIST)
    if kind in {"PreconditionError", "NotModifiedError"}:
        return ObjectChangedError("the object has changed", number=errno.ESTALE)
    if kind == "InvalidPathError":
        return _unreachable(str(error))
    return _of_answer(kind, str(error))


def _unreachable(text: str) -> StoreError:
    key = _KEY.search(text)
    return StoreError(
        f"the key {key[1] if key else ''!a} has an empty name, . or .. between slashes, or a"
        " control character: it cannot be reached, nor listed past; copy it to another key",
        number=errno.EINVAL,
    )


def _of_answer(kind: str, text: str) -> StoreError:
    status, code = _STATUS.search(text), _CODE.search(text)
    told = " ".join(found[1] for found in (status, code) if found)
    if code and code[1] in _ADVICE:
        return StoreError(f"{_ADVICE[code[1]]} ({told})", number=errno.EACCES)
    if kind in {"PermissionDeniedError", "UnauthenticatedError"}:
        return StoreError(
            f"the store refuses these credentials ({told or kind})", number=errno.EACCES
        )
    if any(mark in text for mark in _NO_CREDENTIALS):
        return StoreError(
            "there are no credentials: set the store's usual variables (AWS_*, GOOGLE_*,"
            " AZURE_*), or remote.anonymous for a public bucket",
            number=errno.EACCES,
        )
    if status:
        number = int(status[1])
        is_passing = number in _PASSING or number >= _SERVER_ERRORS
        return StoreError(f"the store answered {told}", is_passing=is_passing)
    return _without_answer(kind, text)


def _without_answer(kind: str, text: str) -> StoreError:
    if "error sending request" in text or "body" in text or "timed out" in text:
        return StoreError("the store could not be reached", is_passing=True)
    if "content length" in text.lower() or "content-length" in text.lower():
        return StoreError("the server does not say how long the file is")
    return StoreError(f"the store failed ({kind})")


_PASSING: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = 500
