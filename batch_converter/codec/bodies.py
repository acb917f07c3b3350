"""The two bodies that carry a document: the completed answer and the submission."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from batch_converter.codec.base64_text import GATHER_BYTES, JsonBase64Decoder
from batch_converter.codec.json_walk import JsonWalk, Mode
from batch_converter.errors import BadResponseError, RejectedError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_RESULT: Final = ("results", None)
_RESULT_DATA: Final = ("results", None, "data")
_RESULT_TYPE: Final = ("results", None, "type")
_IMAGE: Final = ("image",)


class Signal(Enum):
    """What the scanner says between pieces of a PDF."""

    RESTART = auto()
    """What was handed out before does not count: empty the file."""


Piece: TypeAlias = bytes | Literal[Signal.RESTART]


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A whole answer, the PDF's data aside.

    Attributes:
        fields: The JSON object, with empty text in place of results' data.
        pdf_bytes: Length of the PDF that was handed out; None where the answer
            holds none, and then nothing that was handed out counts.
        fault: Why the PDF's data is unusable; None where it is sound.
    """

    fields: dict[str, object]
    pdf_bytes: int | None
    fault: str | None


@dataclass(slots=True)
class _Result:
    """What is known about the entry of `results` that the walk is in."""

    type_word: str | None = None
    taken: bool = False


@dataclass(slots=True)
class _Holding:
    """The result that was handed out, as far as it came."""

    decoder: JsonBase64Decoder
    size_bytes: int = 0
    fault: str | None = None
    is_pdf: bool = False


class EnvelopeScanner(JsonWalk):
    """Reads a status or result answer as it arrives and hands the PDF out on the way.

    Of several results the first whose type is `Pdf` counts; one without a type stands
    in where there is none. Where `data` comes before `type`, pieces are handed out
    on trial and taken back by `RESTART` if the type turns out to be another.

    Args:
        gather_bytes: How much Base64 text is gathered before it is decoded.
    """

    error = BadResponseError
    subject = "the service's answer"
    documented = frozenset(
        {"id", "taskStatus", "responseStatusCode", "results", "error", "type", "data"}
    )
    asked_depth = len(_RESULT_DATA)

    def __init__(self, *, gather_bytes: int = GATHER_BYTES) -> None:
        super().__init__()
        self._gather_bytes = gather_bytes
        self._pieces: list[Piece] = []
        self._result = _Result()
        self._holding: _Holding | None = None

    def feed(self, chunk: bytes) -> Sequence[Piece]:
        """Take the next bytes of the body; return pieces of the PDF and signals.

        The first piece of a PDF always follows a `RESTART`.

        Raises:
            BadResponseError: This cannot become the documented JSON.
        """
        self._pieces = []
        self._walk(chunk)
        return self._pieces

    def finish(self) -> Envelope:
        """The body has ended: return what it said.

        Raises:
            BadResponseError: It is cut off, or is not a JSON object.
        """
        fields = self._parsed()
        held = self._holding
        if held is None:
            return Envelope(fields=fields, pdf_bytes=None, fault=None)
        return Envelope(fields=fields, pdf_bytes=held.size_bytes, fault=held.fault)

    def _begins(self, path: tuple[str | None, ...]) -> Mode:
        if path != _RESULT_DATA:
            return Mode.KEEP
        settled = self._holding is not None and self._holding.is_pdf
        if settled or not _may_be_pdf(self._result.type_word):
            return Mode.SKIP
        self._holding = _Holding(decoder=JsonBase64Decoder(self._gather_bytes))
        self._result.taken = True
        self._pieces.append(Signal.RESTART)
        return Mode.TAKE

    def _taken(self, raw: bytes) -> None:
        held = self._held()
        try:
            self._hand_out(held, held.decoder.feed(raw))
        except ValueError as error:
            self._spoil(held, error)

    def _ended(self, path: tuple[str | None, ...]) -> None:  # noqa: ARG002  # only data is taken
        if self._mode is not Mode.TAKE:
            return
        held = self._held()
        try:
            self._hand_out(held, held.decoder.finish())
        except ValueError as error:
            self._spoil(held, error)

    def _hand_out(self, held: _Holding, pieces: list[bytes]) -> None:
        held.size_bytes += sum(map(len, pieces))
        self._pieces += pieces

    def _spoil(self, held: _Holding, error: ValueError) -> None:
        """Remember that the data is no Base64: an error only if it is the PDF's."""
        held.fault = f"the result's data is not Base64: {error}".partition("\n")[0][:200]
        self._mode = Mode.SKIP

    def _held(self) -> _Holding:
        assert self._holding is not None  # noqa: S101  # `_begins` has set it
        return self._holding

    def _kept(self, path: tuple[str | None, ...], raw: bytes) -> None:
        if path == _RESULT_TYPE:
            self._result.type_word = self._text(raw)

    def _closed(self, path: tuple[str | None, ...]) -> None:
        if path != _RESULT:
            return
        result, self._result = self._result, _Result()
        if not result.taken:
            return
        if _may_be_pdf(result.type_word):
            self._held().is_pdf = result.type_word is not None
        else:
            self._holding = None
            self._pieces.append(Signal.RESTART)


def _may_be_pdf(type_word: str | None) -> bool:
    return type_word is None or type_word.strip().lstrip(".").casefold() == "pdf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A whole submission, the document's data aside."""

    size_bytes: int
    settings: dict[str, object]


class SubmissionScanner(JsonWalk):
    """Reads a submission's body as it arrives and hands the document out on the way.

    Args:
        gather_bytes: How much Base64 text is gathered before it is decoded.
    """

    error = RejectedError
    subject = "the request's body"
    documented = frozenset({"image", "settings"})
    asked_depth = len(_IMAGE)

    def __init__(self, *, gather_bytes: int = GATHER_BYTES) -> None:
        super().__init__()
        self._gather_bytes = gather_bytes
        self._pieces: list[bytes] = []
        self._decoder: JsonBase64Decoder | None = None
        self._size_bytes = 0

    def feed(self, chunk: bytes) -> Sequence[bytes]:
        """Take the next bytes of the body; return pieces of the document.

        Raises:
            RejectedError: This cannot become the documented JSON, or `image` is
                not Base64; the message says which.
        """
        self._pieces = []
        self._walk(chunk)
        return self._pieces

    def finish(self) -> Submission:
        """The body has ended: return what it said.

        Raises:
            RejectedError: It is cut off, is no JSON object, or lacks the image.
        """
        fields = self._parsed()
        settings = fields.get("settings")
        if settings is None:
            settings = {}
        if not isinstance(settings, dict):
            raise self._malformed("holds settings that are not an object")
        if not self._size_bytes:
            raise self._malformed("holds no image")
        return Submission(size_bytes=self._size_bytes, settings=settings)

    def _begins(self, path: tuple[str | None, ...]) -> Mode:
        if path != _IMAGE:
            return Mode.KEEP
        if self._decoder is not None:
            raise self._malformed("says one thing twice")
        self._decoder = JsonBase64Decoder(self._gather_bytes)
        return Mode.TAKE

    def _taken(self, raw: bytes) -> None:
        self._hand_out(lambda image: image.feed(raw))

    def _ended(self, path: tuple[str | None, ...]) -> None:  # noqa: ARG002  # only image is taken
        self._hand_out(lambda image: image.finish())

    def _hand_out(self, decode: Callable[[JsonBase64Decoder], list[bytes]]) -> None:
        try:
            pieces = decode(self._image())
        except ValueError:
            # `from None`: the cause may hold the document's text.
            raise self._malformed("holds an image that is not Base64") from None
        self._size_bytes += sum(map(len, pieces))
        self._pieces += pieces

    def _image(self) -> JsonBase64Decoder:
        assert self._decoder is not None  # noqa: S101  # `_begins` has set it
        return self._decoder
