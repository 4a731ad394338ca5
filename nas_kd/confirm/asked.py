"""What a confirm is asked for."""

from dataclasses import dataclass

from nas_kd.errors import InvalidSpec

SEEDS, EPOCHS = 1000, 1_000_000
"""More than that are a slip."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a confirm is asked for."""

    seeds: int = 5
    epochs: int | None = None
    """None is three times the search's."""
    baseline: str | None = None
    """The user's own network: `module:function`."""
    random: bool = False
    """Also the best of a random search of equal student-epochs."""
    front: bool = False
    """Also the knee, and the smallest within one standard error of the best."""
    trials: tuple[str, ...] = ()
    """Further trials by number."""
    data: str | None = None
    """Where the study's data lie now, such as npz:NEW.npz, if they were moved."""

    def expect_sound(self) -> None:
        """Raise InvalidSpec for numbers that no interval can be had of."""
        wrong = []
        if self.seeds > SEEDS:
            wrong.append(f"--seeds: must be at most {SEEDS} ({self.seeds})")
        if self.seeds < 2:
            wrong.append(f"--seeds: must be at least 2, to see what a seed does ({self.seeds})")
        if self.epochs is not None and not 1 <= self.epochs <= EPOCHS:
            wrong.append(f"--epochs: must be from 1 to {EPOCHS:,} ({self.epochs})")
        if self.baseline is not None and ":" not in self.baseline:
            wrong.append(f"--baseline: say module:function (given: {self.baseline!r})")
        if wrong:
            raise InvalidSpec(tuple(wrong))
