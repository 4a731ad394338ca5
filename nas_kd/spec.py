"""StudySpec: everything that decides a value, one frozen and validated object.

It is read from TOML and flags, and written back as TOML. How a study is run (workers, folder,
files) is no part of it and may change on resume.
"""

import json
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from nas_kd.costs import Counts, parse_budgets
from nas_kd.data import source_of
from nas_kd.errors import InvalidSpec, UnknownName, UnusableBudget, suggestion
from nas_kd.knowledge import KNOWLEDGE
from nas_kd.registry import Registry, import_plugins
from nas_kd.schemes import SCHEMES
from nas_kd.students import FAMILIES

Range = tuple[float, float]
Setting = float | Range
"""One number fixes a setting, a pair searches it."""


PLACES = {"imagefolder", "npz"}
"""Kinds of data that are named by a path."""


def listed(value: Any) -> Any:
    """A single text as a tuple of one; a list as a tuple."""
    return (
        (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value
    )


def paired(value: Any) -> Any:
    """A list as a tuple, so that TOML's pairs are pairs."""
    return tuple(value) if isinstance(value, list) else value


def worded(value: Any) -> Any:
    """A position as text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def several(value: Any) -> Any:
    """One number as a tuple of one; a list as a tuple."""
    return (float(value),) if isinstance(value, int | float) else paired(value)


def within(low: float, high: float) -> Any:
    """A check that a setting, or both ends of it, lie within [low, high], in order."""

    def check(setting: Setting) -> Setting:
        ends = setting if isinstance(setting, tuple) else (setting, setting)
        if not low <= ends[0] <= ends[1] <= high:
            raise ValueError(f"must lie in [{low:g}, {high:g}], a pair in rising order")
        return setting

    return AfterValidator(check)


def readable(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Check that the budgets can be read; a share waits until the teacher is known."""
    try:
        parse_budgets(texts, teacher=Counts(1, 1, 1, 1))
    except UnusableBudget as error:
        raise ValueError(str(error)) from None
    return texts


def reachable(text: str) -> str:
    """Check that a data source's name is known, or has a form that names a place."""
    try:
        source_of(text)
    except UnknownName as error:
        forms = "or imagefolder:PATH, npz:PATH, module:function"
        raise ValueError(f"{str(error).rstrip('.')}; {forms}") from None
    kind, _, rest = text.partition(":")
    if kind in PLACES and rest:
        return f"{kind}:{Path(rest).expanduser().resolve()}"
    return text


def known(registry: Registry[Any]) -> Any:
    """A check that each name is in the registry."""

    def check(names: Any) -> Any:
        for name in names if isinstance(names, tuple) else (names,):
            try:
                registry[name]
            except UnknownName as error:
                raise ValueError(str(error)) from None
        return names

    return AfterValidator(check)


Names = Annotated[tuple[str, ...], BeforeValidator(listed), Field(min_length=1)]
IntSetting = Annotated[int | tuple[int, int], BeforeValidator(paired)]
FloatSetting = Annotated[Setting, BeforeValidator(paired)]


def default_rungs(epochs: int) -> tuple[int, ...]:
    """Epochs at which trials are compared: after one and two fifths of the training."""
    return tuple(sorted({r for fifths in (1, 2) if (r := ceil(fifths * epochs / 5)) < epochs}))


class StudySpec(BaseModel):
    """With the same versions and kind of CPU, equal specs give equal studies."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)

    budget: Annotated[Names, AfterValidator(readable)]
    """Bounds on every student: "20k", "5M macs", "200kB", "25%"; the first is the cost axis."""
    data: Annotated[str, AfterValidator(reachable)] = "glyphs"
    """A named source, `imagefolder:PATH`, `npz:PATH`, or `module:function`."""
    image_size: Annotated[int, Field(ge=4, le=512)] = 32
    """Side of the square that an imagefolder's pictures are resized to."""
    unlabelled: Annotated[int, Field(ge=0)] = 0
    """Unlabelled examples that join the transfer set, where the source makes some."""
    views: Annotated[int, Field(ge=1, le=100)] = 1
    """Fixed shifts and flips in which students see an example; 1 is none."""
    seed: int = 0
    """Draws the students' weights, the order of examples and the proposals."""
    split_seed: int = 0
    """Draws the splits and the views."""
    teacher: str = "train"
    """`train` trains one; `module:function` returns your nn.Module; `torchvision:resnet18`."""
    teacher_output: Annotated[str | None, BeforeValidator(worded)] = None
    """Which of your teacher's outputs are the logits, by name or position."""
    teacher_size: Annotated[int, Field(ge=1)] | None = None
    """Side in pixels of the pictures that your teacher takes; unset, those of the data."""
    teacher_mean: Annotated[tuple[float, ...], BeforeValidator(several)] = ()
    """Your teacher's own normalisation, of pixels from 0 to 1; unset, the data's."""
    teacher_std: Annotated[tuple[float, ...], BeforeValidator(several)] = ()
    """The deviations beside `teacher_mean`."""
    teacher_epochs: Annotated[int, Field(ge=1)] | None = None
    """Epochs of a trained teacher; unset, enough for it to see 120,000 examples."""
    teacher_width: Annotated[int, Field(ge=1)] = 32
    """Channels of a trained teacher's first block."""
    family: Annotated[Names, known(FAMILIES)] = ("cnn", "mlp")
    """The families that are searched."""
    knowledge: Annotated[Names, known(KNOWLEDGE)] = ("kl",)
    """The distillation term; several are searched."""
    scheme: Annotated[str, known(SCHEMES)] = "offline"
    """Who teaches."""
    depth: Annotated[IntSetting, within(1, 16)] = (1, 6)
    """Blocks of a student."""
    width: Annotated[FloatSetting, within(0.01, 1)] = (0.2, 1.0)
    """Share of the widest student that fits."""
    taper: Annotated[FloatSetting, within(0.1, 10)] = (0.7, 2.0)
    """Ratio of neighbouring blocks' widths."""
    temperature: Annotated[FloatSetting, within(0.1, 1000)] = (1.0, 20.0)
    """T of the soft term."""
    alpha: Annotated[FloatSetting, within(0, 1)] = (0.0, 1.0)
    """Share of the soft term; 0 is without the teacher, 1 without the labels."""
    learning_rate: Annotated[FloatSetting, within(1e-6, 1)] = (0.003, 0.05)
    """Peak of the one-cycle schedule."""
    multiple_of: Literal[1, 4, 8] = 1
    """Channels are rounded to multiples of this."""
    trials: Annotated[int, Field(ge=1)] = 32
    """Students that are proposed, stopped ones included."""
    generation: Annotated[int, Field(ge=1)] = 16
    """Trials that are proposed, compared and told together."""
    epochs: Annotated[int, Field(ge=1)] = 10
    """Epochs of a student that is not stopped."""
    rungs: Annotated[tuple[int, ...], BeforeValidator(paired)] = Field(
        default_factory=lambda known: default_rungs(known.get("epochs", 1))
    )
    """Epochs at which trials are compared and some are stopped; `[]` means no stopping."""
    eta: Annotated[int, Field(ge=2)] = 3
    """One in eta goes on from a rung, and the front."""
    batch: Annotated[int | None, Field(ge=2)] = None
    """Examples of a step; unset, 128, or fewer where an epoch would have under 32 steps."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.01
    """AdamW's decay, which spares norms and biases."""
    sampler: Literal["tpe", "random"] = "tpe"
    """What proposes students after the fixed first ones."""
    plugins: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    """Modules that register parts of yours; each worker imports them."""

    @field_validator("teacher_std")
    @classmethod
    def _beside_the_mean(cls, std: tuple[float, ...], known: ValidationInfo) -> tuple[float, ...]:
        mean = known.data.get("teacher_mean", ())
        if len(std) != len(mean) or any(s <= 0 for s in std):
            raise ValueError("must be as many as teacher_mean, each more than zero")
        if any(value > 2 for value in (*mean, *std)):
            raise ValueError("and teacher_mean are of pixels from 0 to 1, not to 255")
        return std

    @field_validator("rungs")
    @classmethod
    def _rising(cls, rungs: tuple[int, ...], known: ValidationInfo) -> tuple[int, ...]:
        epochs = known.data.get("epochs", 10**9)
        if any(b <= a for a, b in pairwise((0, *rungs, epochs))):
            raise ValueError(f"must rise from 1 to below epochs = {epochs}")
        return rungs

    @classmethod
    def create(cls, given: Mapping[str, Any]) -> Self:
        """Validate all settings at once. Raises InvalidSpec with every problem."""
        import_plugins(given.get("plugins") or ())
        try:
            return cls.model_validate(dict(given))
        except ValidationError as error:
            fields = tuple(cls.model_fields)
            found = [p for p in error.errors() if p["type"] != "default_factory_not_called"]
            problems = {str(p["loc"][0]): explain(dict(p), fields) for p in found}
            raise InvalidSpec(tuple(problems.values())) from None

    @classmethod
    def read(cls, path: Path) -> dict[str, Any]:
        """The settings in a TOML file. Raises InvalidSpec."""
        try:
            return tomllib.loads(path.read_text())
        except FileNotFoundError:
            raise InvalidSpec((f"{path}: there is no such file",)) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidSpec((f"{path}: is not TOML ({error})",)) from None

    def to_toml(self) -> str:
        """The whole spec as TOML that `read` reads."""
        facts = self.model_dump(mode="json", exclude_none=True)
        return "".join(f"{name} = {json.dumps(value)}\n" for name, value in facts.items())

    def differences(self, other: "StudySpec") -> tuple[str, ...]:
        """The settings that differ, but for `trials`, which may grow."""
        mine, theirs = self.model_dump(), other.model_dump()
        return tuple(
            f"{name}: {mine[name]} there, {theirs[name]} asked"
            for name in mine
            if name != "trials" and mine[name] != theirs[name] and not moved(name, mine, theirs)
        )


def moved(name: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether two settings differ only in the path of the data, whose content is compared."""
    kinds = {str(settings[name]).partition(":")[0] for settings in (mine, theirs)}
    return name == "data" and kinds <= PLACES and len(kinds) == 1


def explain(problem: dict[str, Any], fields: tuple[str, ...]) -> str:
    """One problem in words: the setting, what is wrong, what was given."""
    name, inside = str(problem["loc"][0]), problem["loc"][1:]
    if problem["type"] == "extra_forbidden":
        return f"{name}: is no setting.{suggestion(name, fields)}"
    if problem["type"] == "missing" and not inside:
        return f'{name}: is needed, for example {name} = "20k"'
    if inside and str(inside[0]) not in "0123456789":
        return f"{name}: must be a number, or a pair [low, high] (given: {problem['input']!r})"
    message = str(problem.get("ctx", {}).get("error") or problem["msg"]).rstrip(".")
    return f"{name}: {message} (given: {problem['input']!r})"
