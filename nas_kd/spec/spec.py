"""StudySpec: everything that decides a value, one frozen and validated object.

It is read from TOML and flags, and written back as TOML. How a study is run (workers, folder,
files) is no part of it and may change on resume.
"""

import tomllib
from collections.abc import Callable, Mapping
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

from nas_kd.data.source import ASKED, IMAGE_SIDE, MOST_WORDS, Request
from nas_kd.errors import InvalidSpec, UnknownName
from nas_kd.knowledge import mixture
from nas_kd.metrics import METRICS
from nas_kd.registry import import_plugins
from nas_kd.schemes import SCHEMES, Scheme
from nas_kd.spec.fields import (
    FloatSetting,
    IntSetting,
    Names,
    known,
    known_family,
    listed,
    mixtures,
    numbered_classes,
    paired,
    placed_teachers,
    placed_unlabelled,
    reachable,
    readable,
    spoken,
    within,
    worded,
)
from nas_kd.spec.rules import CHECKS, PEERS, bits_of
from nas_kd.spec.settings import BUILT_IN, SETTINGS, Setting, checked
from nas_kd.spec.teachers import WIDEST, can_be_narrowed
from nas_kd.spec.wording import as_toml, explain, moved, said
from nas_kd.students import FAMILIES
from nas_kd.students.family import Option

SCHEMA = 4
"""The form of spec.toml. No other was released."""


LONGEST = 50_000
"""Bytes of a spec.toml: the reader of TOML takes gigabytes for some larger ones."""


class StudySpec(BaseModel):
    """With the same versions and kind of CPU, equal specs give equal studies."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, validate_default=True,
        use_attribute_docstrings=True,
    )  # fmt: skip

    budget: Annotated[Names, AfterValidator(readable)]
    """Bounds on every student: "20k", "5M macs", "200kB", "25%"; the first is the cost axis."""
    data: Annotated[str, AfterValidator(reachable)] = "glyphs"
    """A named source, `imagefolder:PATH`, `npz:PATH`, `csv:PATH`, `parquet:PATH`, or
    `module:function`."""
    layout: Literal["auto", "pictures", "signals", "table"] = "auto"
    """What arrays are; auto goes by their shape, and says what it took them for."""
    label: str | None = None
    """The column of a table that has the classes; unset, the one that is called label, target,
    class or y."""
    group: str | None = None
    """The column of a table whose values are never parted between splits."""
    drop: Annotated[tuple[str, ...], BeforeValidator(spoken)] = ()
    """Columns of a table that are not used."""
    keep: Annotated[tuple[str, ...], BeforeValidator(spoken)] = ()
    """Columns of a table that are used although they would be left out."""
    teacher_classes: Annotated[tuple[str, ...], BeforeValidator(numbered_classes)] = ()
    """The classes that your teacher tells apart, by name or by their number; then no labels are
    used, `alpha` is 1, and students are judged by their agreement with the teacher."""
    drop_classes: Annotated[tuple[str, ...], BeforeValidator(spoken)] = ()
    """Classes whose examples are not used, such as those that are too few to be split."""
    words: Annotated[int, Field(ge=1, le=1000)] = MOST_WORDS
    """Most features that a table's column of words gets, one for each of its commonest words."""
    validation: Annotated[float | None, Field(gt=0, lt=1)] = None
    """Share of the examples that are no test examples on which students are judged; unset, a tenth
    where the data have a test split of their own, else a quarter, and more where that is under 200
    examples, up to a third."""
    image_size: Annotated[int, Field(ge=4, le=512)] = IMAGE_SIDE
    """Side of the square that an imagefolder's pictures are resized to."""
    unlabelled: Annotated[int | str, AfterValidator(placed_unlabelled)] = 0
    """Unlabelled examples that join the transfer set: how many the source is to make, or where
    yours lie: a folder of pictures, an .npz, a .csv or .parquet, `module:function`."""
    munge: Annotated[float, Field(ge=0, le=100)] = 0
    """Synthetic rows of a table that join the transfer set without labels, for each row that is in
    it: MUNGE, between rows that are alike."""
    views: Annotated[int, Field(ge=1, le=100)] = 1
    """Fixed shifts and flips in which students see an example; 1 is none."""
    seed: int = 0
    """Draws the students' weights, the order of examples and the proposals."""
    split_seed: Annotated[int, Field(ge=0, le=1_000_000)] = 0
    """Draws the splits and the views."""
    teacher: Annotated[
        tuple[str, ...], BeforeValidator(listed), AfterValidator(placed_teachers)
    ] = ("train",)
    """`train` trains one, `train:8` of another width; `module:function` returns your nn.Module or
    what has predict_proba; `torchvision:resnet18`, `timm:NAME`; or a file, such as teacher.onnx.
    `a+b+c` is an ensemble. Several are searched."""
    teacher_gives: Literal["auto", "logits", "probabilities"] = "auto"
    """What your teacher's answers are; auto goes by their values."""
    teacher_output: Annotated[str | None, BeforeValidator(worded)] = None
    """Which of your teacher's outputs are the logits, by name or position."""
    teacher_size: Annotated[int, Field(ge=1)] | None = None
    """Side in pixels of the pictures that your teacher takes; unset, those of the data."""
    teacher_mean: Annotated[tuple[float, ...], BeforeValidator(listed)] = ()
    """Your teacher's own normalisation, of pixels from 0 to 1; unset, the data's."""
    teacher_std: Annotated[tuple[float, ...], BeforeValidator(listed)] = ()
    """The deviations beside `teacher_mean`."""
    teacher_layer: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    """Layers of your teacher that knowledge terms compare, by their names in named_modules();
    unset, the last one before its maps shrink each time."""
    teacher_epochs: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Epochs of a trained teacher; unset, enough for it to see 120,000 examples, but 60 at most."""
    teacher_width: Annotated[int, Field(ge=1, le=WIDEST)] = 20
    """Channels of a trained teacher's first block."""
    family: Annotated[Names, known(FAMILIES)] = ("cnn", "mlp")
    """The families that are searched; also `module:Class`, `torchvision:resnet18`, `teacher`. The
    first one's default student is also tried at a tenth and a third of the budget, if its costs are
    known in closed form."""
    knowledge: Annotated[Names, AfterValidator(mixtures)] = ("kl",)
    """The distillation term, or a mixture of several, such as "kl + 0.5 rkd"; several are
    searched."""
    scheme: Annotated[str, known(SCHEMES)] = "offline"
    """Who teaches: `offline`, a fixed teacher; `online`, peers of one config teach one another;
    `co_teacher`, a larger network that is trained beside the student; `self`, the student of a
    first round teaches a second one; `exits`, its deeper layers teach early exits. Only offline has
    a teacher unless you name one."""
    peers: Annotated[int, Field(ge=2, le=8)] = PEERS
    """Networks of the scheme online, the student counted."""
    co_teacher: Annotated[str | None, AfterValidator(known_family)] = None
    """Of the scheme co_teacher, which online becomes with it: the family of a larger network that
    is trained beside the student, its default student at 8 times the budget; it is never
    exported."""
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
    bits: Annotated[tuple[Literal[8, 32], ...], BeforeValidator(listed)] = ()
    """Bits of a weight: 32, or 8 for students that are quantised after training and judged so;
    unset, 8 where a budget is of bytes or RAM, else 32. Naming both searches both."""
    qat: bool = False
    """Whether students of 8 bits train with rounded weights and activations, which takes half as
    long again; else they are quantised after training."""
    options: Annotated[dict[str, Annotated[tuple[Option, ...], BeforeValidator(listed)]],
                       Field(default_factory=dict)]  # fmt: skip
    """Options of the families: one value fixes an option, a list searches it. Beside the settings,
    as --fix squeeze_excite=true, they are understood too."""
    settings: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Settings that plug-ins registered: those that its families or terms read, and those that are
    named. One value fixes a setting, a pair or a list searches it. Beside the
    others, as --range margin=0:1, they are understood too."""
    multiple_of: Literal[1, 4, 8] = 1
    """Channels are rounded to multiples of this."""
    trials: Annotated[int, Field(ge=1, le=1_000_000)] = 32
    """Students that are proposed, stopped ones included."""
    generation: Annotated[int, Field(ge=1)] = 16
    """Trials that are proposed, compared and told together."""
    epochs: Annotated[int | None, Field(ge=1, le=1_000_000)] = None
    """Epochs of a student that is not stopped; unset, 10, or more where those are few steps."""
    rungs: Annotated[tuple[int, ...] | None, BeforeValidator(paired)] = None
    """Epochs at which trials are compared and some are stopped; unset, after one, three and six
    tenths of the training; `[]` means no stopping."""
    eta: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 3
    """One in eta goes on from a rung, the nearest to the front there; so do the front and the three
    most accurate."""
    batch: Annotated[int | None, Field(ge=2)] = None
    """Examples of a step; unset, 128, or fewer where an epoch would have under 32 steps."""
    class_weights: Literal["none", "balanced"] = "none"
    """`balanced` gives every class the same share of the loss with the labels."""
    metric: Annotated[str, known(METRICS)] = "accuracy"
    """What students are judged by on the validation split."""
    weight_decay: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.01
    """AdamW's decay, which spares norms and biases."""
    sampler: Literal["tpe", "random"] = "tpe"
    """What proposes students after the fixed first ones."""
    plugins: Annotated[tuple[str, ...], BeforeValidator(listed)] = ()
    """Modules that register parts of yours; each worker imports them."""

    @field_validator("*")
    @classmethod
    def _beside_the_others(cls, value: Any, known: ValidationInfo) -> Any:
        for check in CHECKS.get(known.field_name or "", ()):
            check(value, known.data)
        return value

    @field_validator("family", mode="before")
    @classmethod
    def _as_the_teacher(cls, family: Any, known: ValidationInfo) -> Any:
        teachers = known.data.get("teacher", ("train",))
        names = listed(family)
        if "teacher" not in names:
            return names
        if len(teachers) != 1 or not can_be_narrowed(teachers[0]):
            raise ValueError(
                "teacher is your own teacher made narrower: name it as --teacher module:function "
                "or torchvision:MODEL, one alone; the one that is trained is a wide cnn"
            )
        return tuple(teachers[0] if name == "teacher" else name for name in names)

    @field_validator("settings")
    @classmethod
    def _registered(cls, settings: dict[str, Any], known: ValidationInfo) -> dict[str, Any]:
        if named := [name for name in settings if name in cls.model_fields]:
            raise ValueError(f"{named[0]} stands beside settings, not among them")
        read = {name for part in known.data.get("family", ()) for name in FAMILIES[part].settings}
        for term in known.data.get("knowledge", ()):
            read |= {*mixture(term).settings}
        outside = {name: SETTINGS[name].searched for name in SETTINGS if name in read - BUILT_IN}
        try:
            return {name: checked(name, said) for name, said in (outside | settings).items()}
        except UnknownName as error:
            raise ValueError(str(error)) from None

    @classmethod
    def create(cls, given: Mapping[str, Any]) -> Self:
        """Validate all settings at once. Raises InvalidSpec with every problem."""
        modules = listed(given.get("plugins", ()))
        if all(isinstance(module, str) for module in modules):
            import_plugins(modules)
        try:
            return cls.model_validate(folded(given))
        except ValidationError as error:
            fields = tuple(cls.model_fields)
            found = [p for p in error.errors() if p["type"] != "default_factory_not_called"]
            problems = {str(p["loc"][0]): explain(dict(p), fields) for p in found}
            raise InvalidSpec(tuple(problems.values())) from None

    @classmethod
    def as_stored(cls, facts: Mapping[str, Any]) -> Self:
        """The spec of settings that were validated, plug-ins and all, when they were written.

        Raises InvalidSpec for settings that are none of this version's.
        """
        known, needed = cls.model_fields.keys(), {"budget"}
        if wrong := sorted((facts.keys() - known) | (needed - facts.keys())):
            raise InvalidSpec(tuple(f"{name}: is no setting, or is missing" for name in wrong))
        tables = {
            name: {key: paired(value) for key, value in facts[name].items()}
            for name in ("options", "settings")
            if name in facts
        }
        return cls.model_construct(**{n: paired(value) for n, value in facts.items()} | tables)

    @classmethod
    def read(cls, path: Path, schema: int | None = SCHEMA) -> dict[str, Any]:
        """The settings in a TOML file. Raises InvalidSpec, also for one of another schema; one that
        does not say its schema has the one that is given."""
        try:
            if path.stat().st_size > LONGEST:
                raise InvalidSpec((f"{path}: is of more than {LONGEST:,} bytes, and no spec is",))
            found = tomllib.loads(path.read_text())
        except FileNotFoundError:
            raise InvalidSpec((f"{path}: there is no such file",)) from None
        except OSError as error:
            raise InvalidSpec((f"{path}: cannot be read ({error.strerror})",)) from None
        except ValueError as error:  # also for numbers of thousands of digits
            raise InvalidSpec((f"{path}: is not TOML ({error})",)) from None
        except RecursionError:
            raise InvalidSpec((f"{path}: is nested too deeply to be a spec",)) from None
        if (said := found.pop("schema", schema)) != SCHEMA:
            wrong = f"{path}: has schema {said}, and this version of nas-kd reads {SCHEMA}"
            raise InvalidSpec((wrong,))
        return found

    def request(self, root: Path, tell: Callable[[str], None] = lambda text: None) -> Request:
        """What the data source is asked for; `root` is the folder of its files."""
        return Request(
            root.expanduser().resolve(),
            self.split_seed,
            tell=tell,
            **{name: getattr(self, name) for name in ASKED},
        )

    @property
    def rows(self) -> dict[str, Setting]:
        """The settings of this study: those that are fields, and those from outside that it names,
        or that one of its families or terms reads."""
        mine = {n: row for n, row in SETTINGS.items() if n in BUILT_IN or n in self.settings}
        return {n: row for n, row in mine.items()
                if not row.where_several or len(listed(self.setting(n))) > 1}  # fmt: skip

    def teacher_of(self, settings: Mapping[str, Any]) -> str | None:
        """The name of the teacher of a trial with these settings; None where there is none."""
        return str(settings.get("teacher", self.teacher[0])) if self.teacher else None

    @property
    def who_teaches(self) -> Scheme:
        """The scheme."""
        return SCHEMES[self.scheme]

    @property
    def teaching(self) -> str:
        """Who teaches, in a sentence; empty where it is a fixed teacher."""
        scheme = self.who_teaches
        said = scheme.says.format(peers=self.peers)
        return said if said or scheme.teacher else f"The scheme {self.scheme}."

    @property
    def layer_terms(self) -> tuple[str, ...]:
        """The terms that compare layers, of all mixtures."""
        every = (term for text in self.knowledge for term in mixture(text).of_layers)
        return tuple(dict.fromkeys(every))

    def setting(self, name: str) -> Any:
        """What the spec says of a setting: one value, or the range or choices to search."""
        if name == "bits":
            return bits_of(self.bits, self.budget)
        return self.settings[name] if name in self.settings else getattr(self, name)

    def to_toml(self) -> str:
        """The whole spec as TOML that `read` reads."""
        facts = {"schema": SCHEMA} | self.model_dump(mode="json", exclude_none=True)
        for table in ("options", "settings"):
            facts |= {f"{table}.{name}": value for name, value in facts.pop(table).items()}
        return "".join(f"{name} = {as_toml(value)}\n" for name, value in facts.items())

    def differences(self, other: "StudySpec") -> tuple[str, ...]:
        """The settings that differ, but for `trials`, which may grow."""
        mine, theirs = self.model_dump(), other.model_dump()
        return tuple(
            f"{name}: {said(mine[name])} there, {said(theirs[name])} asked"
            for name in mine
            if name != "trials" and mine[name] != theirs[name] and not moved(name, mine, theirs)
        )


def folded(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is given, with options of families put under `options`, and settings from outside under
    `settings`."""
    fields = StudySpec.model_fields
    options = {name for family in FAMILIES.values() for name in family.options}
    result = dict(given)
    if result.get("teacher_classes"):
        result = {"alpha": 1.0, "metric": "agreement"} | result
    if result.get("co_teacher") is not None and result.get("scheme", "online") == "online":
        result["scheme"] = "co_teacher"
    scheme = result.get("scheme")
    if isinstance(scheme, str) and scheme in SCHEMES and not SCHEMES[scheme].teacher:
        result = {"teacher": ()} | result
    for table, names in (("options", options), ("settings", SETTINGS.keys() - fields.keys())):
        if beside := {name: result.pop(name) for name in list(result) if name in names}:
            result[table] = dict(result.get(table, {})) | beside
    return result
