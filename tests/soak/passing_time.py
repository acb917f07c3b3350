"""Two clocks of a simulated week: the service's, which is right, and the machine's, which steps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable
    from random import Random

KEPT_HOURS: Final = 24.0
"""What the service keeps a result for, from when it took the document in."""


class Step(NamedTuple):
    """What befalls the clocks in the middle of a life.

    Attributes:
        after_s: So many seconds after it began.
        machine_hours: How far the machine's clock goes ahead; below 0 it goes back.
        true_hours: How much time passes: the machine slept.
    """

    after_s: float
    machine_hours: float
    true_hours: float


@dataclass(slots=True)
class Clocks:
    """What time it is, in hours since the round began; some thirty lives are about a week.

    Attributes:
        chance: What is random in it.
        played: Counts what happens.
        true_hours: What the service's clock shows.
        machine_hours: What the machine's shows.
        steps: What befalls them in the life that is next, or goes on, in their order.
    """

    chance: Random
    played: Counter[str]
    true_hours: float = 0.0
    machine_hours: float = 0.0
    steps: list[Step] = field(default_factory=list)

    def wait_for_next_life(self, length_s: float) -> None:
        """Let time pass, set the machine's clock, and draw what befalls a life of this length."""
        waited: Callable[[], float] = self.chance.choices(
            (
                lambda: self.chance.uniform(0, 1),  # again at once, by hand
                lambda: self.chance.uniform(1, 8),
                lambda: self.chance.uniform(20, 72),  # the night after, or after the week-end
            ),
            (12, 6, 1),
        )[0]
        self._pass(hours := waited())
        self.machine_hours += hours
        if self.chance.random() < 0.25:
            error_hours = self.chance.choice((0.0, self._error_hours()))
            self.machine_hours = self.true_hours + error_hours
            self.played["steps of the clock between lives"] += 1
        self.steps = sorted(self._drawn_steps(length_s))

    def highest_hours(self) -> float:
        """Return the most that the machine's clock shows at any moment of the life."""
        shown = highest = self.machine_hours
        for step in self.steps:
            shown += step.machine_hours
            highest = max(highest, shown)
        return highest

    def spelled_steps(self) -> list[tuple[float, float]]:
        """Return what the machine's clock does: after so many seconds, ahead by so many hours."""
        own = [(step.after_s, step.machine_hours) for step in self.steps]
        return [(0.0, self.machine_hours), *own]

    def take(self, step: Step) -> None:
        """Have a step of the life behind us."""
        self._pass(step.true_hours)
        self.machine_hours += step.machine_hours
        self.steps.remove(step)

    def _drawn_steps(self, length_s: float) -> list[Step]:
        steps = []
        if self.chance.random() < 0.2:
            steps.append(Step(self.chance.uniform(0, length_s), self._error_hours(), 0.0))
            self.played["steps of the clock in a life"] += 1
        if self.chance.random() < 0.1:
            hours = self.chance.uniform(0.5, 40)
            steps.append(Step(self.chance.uniform(0, length_s), hours, hours))
            self.played["sleeps of the machine in a life"] += 1
        return steps

    def _error_hours(self) -> float:
        """Return minutes, an hour of another zone, or days, ahead or back."""
        size = self.chance.choice((0.05, 1.0, 30.0, 72.0))
        return self.chance.choice((-size, size, self.chance.uniform(-size, size)))

    def _pass(self, hours: float) -> None:
        self.true_hours += hours
        self.played["hours of simulated time"] = round(self.true_hours)
