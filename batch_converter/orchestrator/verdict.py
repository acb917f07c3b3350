"""What becomes of a found file, by what is known of it: a table, and nothing is looked at here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from batch_converter.errors import LASTING_CODES
from batch_converter.ledger import Verdict
from batch_converter.models import DocumentState

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from batch_converter.config import Settings
    from batch_converter.engines.base import Engine
    from batch_converter.orchestrator.found_facts import FoundFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the user asked for, as far as it decides what becomes of a file.

    Attributes:
        overwrite: Which PDFs that are there are replaced.
        adopt: A PDF that the ledger did not write may be taken for a file's own.
        retry_failed: What failed for good is tried again.
        engine: The engine's name.
        engine_options: The digest of its options.
        any_engine: The user did not ask for this engine by name, so what another one
            has converted, or has in hand, stays as it is.
    """

    overwrite: Literal["if-changed", "always", "never"] = "if-changed"
    adopt: bool = False
    retry_failed: bool = False
    engine: str
    engine_options: str
    any_engine: bool

    @classmethod
    def of(cls, settings: Settings, engine: Engine, *, any_engine: bool) -> PlanOptions:
        """Pick them out of the settings."""
        return cls(
            overwrite=settings.output.overwrite,
            adopt=settings.output.adopt,
            retry_failed=settings.retry.retry_failed,
            engine=engine.name,
            engine_options=engine.options_digest,
            any_engine=any_engine,
        )

    @property
    def minds_pdfs(self) -> bool:
        """Whether it matters who wrote a PDF that is there."""
        return self.overwrite == "if-changed"

    def is_other_engine(self, name: str | None) -> bool:
        """Whether a document was converted, or is out, elsewhere."""
        return name not in {None, self.engine}


def verdict(facts: FoundFacts, options: PlanOptions) -> Verdict:
    """Return what becomes of a file: the first line of the table that applies."""
    return next(chosen for chosen, applies in _TABLE if applies(facts, options))


def _is_kept(facts: FoundFacts, options: PlanOptions) -> bool:
    return options.overwrite == "never" and facts.pdf_bytes is not None


def _is_up_to_date(facts: FoundFacts, options: PlanOptions) -> bool:
    planned = facts.planned
    return (
        _stands(facts, options)
        and not facts.changed
        and planned.document.state is DocumentState.CONVERTED
        and planned.pdf_bytes == facts.pdf_bytes
        and not facts.is_other_pdf
        and _is_as_wanted(facts, options)
    )


def _is_as_wanted(facts: FoundFacts, options: PlanOptions) -> bool:
    if options.is_other_engine(facts.planned.engine):
        return options.any_engine
    return facts.planned.options == options.engine_options


def _was_published(facts: FoundFacts, options: PlanOptions) -> bool:
    """A run died between naming the PDF and recording it."""
    return _stands(facts, options) and not facts.changed and facts.is_announced


def _stands(facts: FoundFacts, options: PlanOptions) -> bool:
    """A PDF is there, and may not simply be replaced."""
    return options.overwrite != "always" and facts.pdf_bytes is not None


def _is_known_failure(facts: FoundFacts, options: PlanOptions) -> bool:
    planned = facts.planned
    return (
        planned.document.state is DocumentState.FAILED
        and planned.failure is not None
        and planned.failure.code in LASTING_CODES
        and not facts.changed
        and not options.retry_failed
        and not facts.has_parts_now
    )


def _is_foreign(facts: FoundFacts, options: PlanOptions) -> bool:
    """This ledger put nothing there, nor was about to when its run died."""
    was_put_there = facts.planned.was_converted and not facts.is_other_pdf
    return _stands(facts, options) and not (was_put_there or facts.is_announced)


def _is_in_other_hands(facts: FoundFacts, options: PlanOptions) -> bool:
    planned = facts.planned
    return (
        planned.document.state is DocumentState.SUBMITTED
        and options.is_other_engine(planned.engine)
        and options.any_engine
        and not facts.changed
    )


def _is_obstructed(facts: FoundFacts, _options: PlanOptions) -> bool:
    return facts.obstacle is not None


def _always(_facts: FoundFacts, _options: PlanOptions) -> bool:
    return True


_TABLE: Final[Sequence[tuple[Verdict, Callable[[FoundFacts, PlanOptions], bool]]]] = (
    (Verdict.SKIP, _is_kept),
    (Verdict.SKIP, _is_up_to_date),
    (Verdict.ADOPT, _was_published),
    (Verdict.KNOWN_FAILURE, _is_known_failure),
    (Verdict.REFUSE, _is_foreign),
    (Verdict.LEAVE, _is_in_other_hands),
    (Verdict.REFUSE, _is_obstructed),
    (Verdict.CONVERT, _always),
)
