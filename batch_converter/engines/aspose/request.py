"""What is sent, and where a redirect may lead it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from yarl import URL

from batch_converter.engines.aspose.judgement import WHAT
from batch_converter.errors import BadResponseError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from batch_converter.engines.base import CallRecorder, SourceDocument
    from batch_converter.models import CallKind
    from batch_converter.redaction import Redactor

_SEE_OTHER: Final = 303


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is to be sent, but for the token.

    Attributes:
        calls: Records it before it leaves.
        source: What it is about; what is sent, where `uploads`.
        form: The fields of a form; they hold the secret.
        uploads: The document is the body.
    """

    kind: CallKind
    method: str
    url: URL
    calls: CallRecorder
    source: SourceDocument | None = None
    form: Mapping[str, str] | None = field(default=None, repr=False)
    uploads: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """A redirect."""

    location: str
    status: int


def redirected(request: Request, moved: Moved, redactor: Redactor) -> Request:
    """Return the request for the new place.

    Raises:
        BadResponseError: It is at another origin, where no credential may go.
    """
    try:
        url = request.url.join(URL(moved.location))
        same_origin = url.origin() == request.url.origin()
    except ValueError:
        raise BadResponseError("the service redirects to something that is no address") from None
    if not same_origin or url.user is not None:
        msg = (
            f"the service redirects {WHAT[request.kind]} to {url.scheme}://{url.host}, which is"
            " refused; if that is the service's new place, set aspose.base_url"
        )
        raise BadResponseError(redactor.redact(msg))
    if moved.status == _SEE_OTHER:
        return replace(request, url=url, method="GET", form=None, uploads=False)
    return replace(request, url=url)
