"""Mistakes that people make, one by one: a message that names what is at fault, exit code 2."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from nas_kd.files import write_text
from nas_kd.package.write import export
from nas_kd.study.folder import StudyFolder, lock
from nas_kd.study.view import StudyView
from nas_kd.teachers.network import wide
from tests.conftest import Run, tiny
from tests.data.test_imagefolder import folder, picture

X = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
Y = np.arange(40) % 4

CODE = """
import numpy as np
import torch

X = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
Y = np.arange(40) % 4

class Jittered(torch.utils.data.Dataset):
    def __len__(self):
        return 40
    def __getitem__(self, index):
        return torch.rand(1, 8, 8), int(Y[index])

def jittered():
    return Jittered()

def text():
    return [("some words", 1)] * 20

def number():
    return 3

class Twice(torch.nn.Module):
    def forward(self, images):
        logits = images.flatten(1)[:, :10]
        return {"main": logits, "aux": logits}

def twice():
    return Twice()
"""


def arrays(path: str, **changes: object) -> None:
    np.savez(path, **({"X": X, "y": Y} | changes))  # type: ignore[arg-type]


@pytest.fixture
def world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, study: StudyView
) -> Iterator[dict[str, str]]:
    """A folder full of things that are not right, and names for what lies elsewhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("faulty.py").write_text(CODE)
    for name in ("one", "broken", "few", "empty", "full"):
        Path(name).mkdir()
    picture(Path("one/dark/1.png"), 0, 1)
    folder(Path("broken"))
    Path("broken/dark/bad.jpg").write_bytes(b"no picture")
    folder(Path("few"), 2)
    Path("full/file").write_text("")
    arrays("onehot.npz", y=np.eye(4)[Y])
    arrays("gaps.npz", y=Y * 2, x_test=X, y_test=Y)
    arrays("halves.npz", y=Y + 0.5)
    words = np.array(["cat", "dog"] * 20)
    arrays("words.npz", y=words, x_test=X[:2], y_test=np.array(["cat", "cow"]))
    arrays("short.npz", y=Y[:30])
    arrays("flat.npz", X=X.reshape(40, 2, 2, 4, 4))
    arrays("nan.npz", X=np.where(X > 250, np.nan, X.astype(np.float32)))
    arrays("same.npz", y=Y * 0)
    np.savez("named.npz", pictures=X)
    arrays("right.npz")
    arrays("wide.npz", X=np.zeros((40, 9, 9), np.uint8))
    arrays("extra.npz", lables=Y)
    arrays("unseen.npz", y=Y % 3, x_test=X, y_test=Y)
    Path("text.npz").write_text("no arrays")
    Path("broken.toml").write_text("budget = ")
    Path("unfinished.py").write_text("def")
    Path("types.toml").write_text('budget = "2k"\ntrials = "many"\n')
    Path("unknown.toml").write_text('budget = "2k"\nepoch = 3\n')
    torch.save(wide((1, 8, 8), 10, 5).state_dict(), "wider.pt")
    torch.save(wide((1, 8, 8), 10, 4), "pickled.pt")
    torch.save({"epoch": 3}, "epoch.pt")
    Path("text.pt").write_text("no weights")
    export(study, "best", Path("package"))
    shutil.copytree("package", "spoiled")
    Path("spoiled/weights.safetensors").write_bytes(b"half")
    shutil.copytree("package", "torn")
    Path("torn/config.json").write_text('{"student": ')
    write_text(Path("damaged/spec.toml"), tiny().to_toml())
    Path("damaged/study.db").write_text("no database " * 100)
    Path("damaged/driver.lock").touch()
    write_text(Path("other/spec.toml"), tiny(epochs=7).to_toml())
    write_text(Path("other/driver.lock"), "process 1 on elsewhere")
    write_text(Path("taken/checkpoints/mine.pt"), "of something else")
    with lock(StudyFolder(Path("held"))):
        yield {"STUDY": str(study.folder.root)}


DIGITS = ["search", "--budget", "2k", "--data", "digits"]
OWN = [*DIGITS, "--workers", "0", "--teacher"]


def flag(*words: str) -> list[str]:
    """A search on digits that is right but for these words."""
    return [*DIGITS, *words]


def fix(setting: str) -> list[str]:
    return flag("--fix", setting)


def data(source: str) -> list[str]:
    return ["search", "--budget", "2k", "--workers", "0", "--data", source]


def teacher(name: str, weights: str = "") -> list[str]:
    return [*OWN, name, *(["--teacher-weights", weights] if weights else [])]


SMALL = "tests.teachers.own:small"
MISTAKES: list[tuple[list[str], str]] = [
    (["search"], "budget: is needed"),
    (["search", "--budget", "abc"], "budget 'abc'"),
    (["search", "--budget", "-5k"], "budget '-5k'"),
    (["search", "--budget", "0"], "budget '0': is not more than zero"),
    (["search", "--budget", "20kk"], "unknown unit 'k'"),
    (["search", "--budget", "20 apples"], "unknown unit 'apples'"),
    (["search", "--budget", "2k", "--budget", "3k"], "bound parameters twice"),
    (["search", "--budget", "20", "--data", "digits"], "cnn 31 parameters; mlp 85 parameters"),
    (["space", "--budget", "20", "--data", "digits"], "The smallest of each family"),
    (data("digts"), "Did you mean 'digits'"),
    (flag("--family", "mpl"), "Did you mean 'mlp'"),
    (flag("--knowledge", "kll"), "Did you mean 'kl'"),
    (flag("--scheme", "onlin"), "No scheme is called 'onlin'"),
    (fix("widht=1"), "Did you mean 'width'"),
    (fix("width"), "--fix NAME=VALUE"),
    (fix("width=2"), "width: must lie in [0.01, 1]"),
    (fix("alpha=1.5"), "alpha: must lie in [0, 1]"),
    (fix("temperature=0"), "temperature: must lie in"),
    (fix("depth=0"), "depth: must lie in [1, 16]"),
    (fix("depth=2.5"), "depth: must be a number"),
    (flag("--range", "depth=5:2"), "a pair in rising order"),
    (flag("--range", "taper=wide"), "taper: must be a number, or a pair"),
    (flag("--trials", "0"), "trials: Input should be greater than or equal to 1"),
    (flag("--trials", "many"), "trials: say a number"),
    (flag("--trials", "+3"), "+3 needs a study to add to"),
    (flag("--epochs", "0"), "epochs: Input should be greater"),
    (flag("--views", "0"), "views: Input should be greater"),
    (flag("--unlabelled", "5"), "data 'digits' makes no unlabelled examples"),
    (flag("--time", "soon"), "--time: say a time"),
    (flag("--job-limit", "0"), "--job-limit: say a time"),
    (fix("rungs=[3, 2]"), "rungs: must rise"),
    (fix("batch=1"), "batch: Input should be greater"),
    (fix("generation=0"), "generation: Input should be greater"),
    (fix("multiple_of=3"), "multiple_of: Input should be 1, 4 or 8"),
    (fix("image_size=2"), "image_size: Input should be greater"),
    (fix("sampler=gp"), "sampler: Input should be 'tpe' or 'random'"),
    (fix("image_size=64"), "are for data of yours; 'digits' has a form of its own"),
    (fix("layout=signals"), "are for data of yours; 'digits' has a form of its own"),
    (fix('plugins=["nothing_here"]'), "plug-in 'nothing_here'"),
    (fix("plugins=nothing_here"), "plug-in 'nothing_here'"),
    (fix("plugins=unfinished"), "plug-in 'unfinished': cannot be imported (invalid syntax"),
    (fix("plugins=3"), "plugins: Input should be"),
    (["check", *DIGITS[1:], "--teacher-size", "64"], "--teacher-size: is for a teacher of yours"),
    (flag("--teacher-size", "64"), "--teacher-size: is for a teacher of yours"),
    (flag("--teacher-output", "main"), "--teacher-output: is for a teacher of yours"),
    (flag("--teacher-weights", "text.pt"), "--teacher-weights: is for a teacher of yours"),
    (flag("--teacher-mean", "grey"), "--teacher-mean: say numbers"),
    (flag("--teacher-mean", "0.5"), "teacher_std: must be as many as teacher_mean"),
    (flag("--teacher-mean", "128", "--teacher-std", "64"), "of pixels from 0 to 1, not to 255"),
    (["search", "nothing.toml"], "nothing.toml: there is no such file"),
    (["search", "broken.toml"], "broken.toml: is not TOML"),
    (["search", "types.toml"], "trials: Input should be a valid integer"),
    (["search", "unknown.toml"], "Did you mean 'epochs'"),
    (data("imagefolder:nowhere"), "nowhere: does not exist"),
    (data("imagefolder:empty"), "has 0 class folders"),
    (data("imagefolder:one"), "has 1 class folders"),
    (data("imagefolder:broken"), "bad.jpg: cannot be read"),
    (data("imagefolder:few"), "only 2 training examples of class 'dark'"),
    (data("npz:nowhere.npz"), "nowhere.npz: cannot be read"),
    (data("npz:text.npz"), "text.npz: cannot be read"),
    (data("npz:named.npz"), "has the arrays pictures"),
    (data("npz:extra.npz"), "arrays that mean nothing here: lables"),
    (data("npz:unseen.npz"), "has labels 0 to 3 in test"),
    (data("npz:onehot.npz"), "one-hot or several labels"),
    (data("npz:gaps.npz"), "has the class 1 in test only"),
    (data("npz:halves.npz"), "labels that are no integers"),
    (data("npz:words.npz"), "has the class 'cow' in test only"),
    (data("npz:short.npz"), "40 examples and 30 labels"),
    (data("npz:flat.npz"), "has examples of shape (2, 2, 4, 4)"),
    (data("npz:nan.npz"), "values that are NaN"),
    (data("npz:same.npz"), "1 classes"),
    (data("faulty:nothing"), "data 'faulty:nothing': cannot be called"),
    (data("nowhere:load"), "data 'nowhere:load': cannot be called"),
    (data("faulty:jittered"), "a random transform"),
    (data("faulty:text"), "has text"),
    (data("faulty:number"), "gives int"),
    (teacher("resnet"), "teacher 'resnet': is not of the form module:function"),
    (teacher("nowhere:net"), "teacher 'nowhere:net': cannot be made"),
    (teacher("faulty:number"), "returns int, not an nn.Module"),
    (teacher("faulty:twice"), "--teacher-output NAME"),
    (teacher("torchvision:resnt18"), "You may have meant: resnet18"),
    (teacher("torchvision:resnet18"), "--teacher-weights"),
    (teacher("tests.teachers.own:seven_classes"), "answers with shape (64, 7)"),
    (teacher("tests.teachers.own:not_finite"), "answers NaN"),
    (teacher("tests.teachers.own:guessing"), "is at chance on the data"),
    (teacher(SMALL, "nowhere.pt"), "nowhere.pt: do not exist"),
    (teacher(SMALL, "wider.pt"), "instead of (4, 1, 3, 3)"),
    (teacher(SMALL, "pickled.pt"), "weights_only=False"),
    (teacher(SMALL, "epoch.pt"), "epoch.pt: hold no state dict"),
    (teacher(SMALL, "text.pt"), "text.pt: are no file that torch saved"),
    (flag("--study", "held"), "is being searched by process"),
    (flag("--study", "full/file"), "cannot be written"),
    (flag("--study", "other"), "epochs: 7 there, unset asked"),
    (flag("--study", "taken"), "taken: holds no study, but checkpoints of something else"),
    (["search", "full", "--study", "empty"], "study: is full or empty: name one of them"),
    (["trials", "nowhere"], "nowhere: holds no study"),
    (["trials", "damaged"], "study.db: cannot be opened (file is not a database)"),
    (["search", "--study", "damaged"], "study.db: cannot be opened (file is not a database)"),
    (["space", "--budget", "2k", "--picture", "x.png"], "--picture: is a page: say NAME.html"),
    (["report", "nowhere"], "nowhere: holds no study"),
    (["dashboard", "nowhere"], "nowhere: holds no study"),
    (["trials", "STUDY", "--format", "xml"], "--format: say table, csv or json"),
    (["export", "STUDY", "--to", "full"], "full: exists and is no empty folder"),
    (["export", "STUDY", "--to", "full/file"], "file: exists and is no empty folder"),
    (["export", "STUDY", "--trial", "²", "--to", "new"], "Say best, knee or a number below 8"),
    (["smallest", "STUDY", "--accuracy", ""], "--accuracy: say 98.5%"),
    (["export", "STUDY", "--trial", "bst", "--to", "new"], "Say best, knee or a number below 8"),
    (["export", "STUDY", "--trial", "99", "--to", "new"], "trial '99'"),
    (["evaluate", "nowhere"], "package nowhere: has no config.json"),
    (["evaluate", "spoiled"], "package spoiled: has other weights"),
    (["evaluate", "torn"], "torn/config.json: is not what nas-kd writes there"),
    (["evaluate", "package", "--split", "train"], "--split: say test or validation"),
    (["evaluate", "package", "--data", "npz:onehot.npz"], "one-hot"),
    (
        ["evaluate", "package", "--data", "npz:right.npz", "--split", "validation"],
        "has no validation split of its own",
    ),
    (["evaluate", "package", "--data", "npz:wide.npz"], "The student takes (1, 8, 8)"),
]


@pytest.mark.parametrize(
    ("arguments", "part"), MISTAKES, ids=[f"{n:02}" for n in range(len(MISTAKES))]
)
def test_a_mistake_is_answered_by_one_message(
    arguments: list[str], part: str, run: Run, world: dict[str, str]
) -> None:
    done = run(*[world.get(word, word) for word in arguments])
    assert part in done.stderr, done.stderr + done.stdout
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_there_are_at_least_sixty() -> None:
    assert len(MISTAKES) >= 60
