"""Mistakes that people make, one by one: a message that names what is at fault, exit code 2."""

import os
import shutil
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import numpy as np
import pandas as pd
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


def tables() -> None:
    """Tables that are not right, each for a reason of its own."""
    frame = pd.DataFrame({"x": np.random.default_rng(0).normal(size=40), "y": Y})
    frame.to_csv("right.csv", index=False)
    frame.assign(y=frame.x).to_csv("quantity.csv", index=False)
    frame.assign(y=pd.date_range("2020", periods=40)).to_csv("dated.csv", index=False)
    frame.assign(y=["löw", "high"] * 20).to_csv("latin.csv", index=False, encoding="latin-1")
    frame.assign(y=["a", *"bc" * 19, "b"]).to_csv("rare.csv", index=False)
    frame.assign(y=None).to_csv("unlabelled.csv", index=False)
    frame[["y"]].to_csv("bare.csv", index=False)
    frame.assign(x=range(40)).to_csv("counted.csv", index=False)
    frame.assign(x=np.inf).to_csv("infinite.csv", index=False)
    Path("nothing.csv").write_text("")
    Path("heading.csv").write_text("x,y\n")
    Path("wide.csv").write_text(",".join(["y", *(f"x{n}" for n in range(20_000))]) + "\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, study: StudyView) -> Path:
    """A folder full of things that are not right."""
    folder = tmp_path_factory.mktemp("mistakes")
    with chdir(folder):
        everything(study)
    return folder


@pytest.fixture
def world(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, study: StudyView
) -> Iterator[dict[str, str]]:
    """A copy of that folder to work in, and names for what lies elsewhere."""
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("pipe.npz", "pipe.csv", "pipe.pt"):
        os.mkfifo(name)
    with lock(StudyFolder(Path("held"))):
        yield {"STUDY": str(study.folder.root)}


def everything(study: StudyView) -> None:
    """What is not right, in this folder."""
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
    arrays("lonely.npz", x_val=X[:8], y_val=Y[:8] * 0)
    arrays("split.npz", x_val=X, y_val=Y)
    tables()
    picture(Path("alike/a/1.png"), 0, 1)
    for name in ("a/2", "b/1", "b/2"):
        Path(f"alike/{name}.png").parent.mkdir(exist_ok=True)
        shutil.copy("alike/a/1.png", f"alike/{name}.png")
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
    for name in ("config.json", "evaluations.json"):
        shutil.copytree("package", f"no-{name}")
        Path(f"no-{name}", name).write_text("{}")
    for name in ("data.json", "teacher/config.json"):
        place = Path(f"without-{Path(name).stem}")
        shutil.copytree(study.folder.root, place)
        (place / name).write_text("{}")
    write_text(Path("damaged/spec.toml"), tiny().to_toml())
    Path("damaged/study.db").write_text("no database " * 100)
    Path("damaged/driver.lock").touch()
    write_text(Path("other/spec.toml"), tiny(epochs=7).to_toml())
    write_text(Path("other/driver.lock"), "process 1 on elsewhere")
    write_text(Path("taken/checkpoints/mine.pt"), "of something else")
    for kind in ("onnx", "pt2", "joblib", "skops", "parquet"):
        Path(f"text.{kind}").write_text("of something else")


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


MORE = ["--trials", "+1", "--workers", "0"]

LATIN = os.fsdecode(b"caf\xe9.csv")
"""A name from an old archive."""

SMALL = "tests.teachers.own:small"
MISTAKES: list[tuple[list[str], str]] = [
    (["search"], "budget: is needed"),
    (["search", "--budget", "abc"], "budget 'abc'"),
    (["search", "--budget", "-5k"], "budget '-5k'"),
    (["search", "--budget", "0"], "budget '0': is not more than zero"),
    (["search", "--budget", "20kk"], "unknown unit 'k'"),
    (["search", "--budget", "20kb"], "Did you mean 20kB?"),
    (["search", "--budget", "5k mac"], "Did you mean 5kmacs?"),
    (["search", "--budget", "9" * 1000], "has 1,000 letters"),
    (["search", "--budget", "20 apples"], "unknown unit 'apples'"),
    (["search", "--budget", "2k", "--budget", "3k"], "bound parameters twice"),
    (["search", "--budget", "20", "--data", "digits"], "cnn 31 parameters; mlp 85 parameters"),
    (["space", "--budget", "20", "--data", "digits"], "The smallest of each family"),
    (data("digts"), "Did you mean 'digits'"),
    (flag("--family", "mpl"), "Did you mean 'mlp'"),
    (flag("--knowledge", "kll"), "Did you mean 'kl'"),
    (flag("--scheme", "onlin"), "No scheme is called 'onlin'"),
    (flag("--knowledge", "kl + "), "is no mixture of terms"),
    (flag("--knowledge", "kl + 0.5 rdk"), "Did you mean 'rkd'"),
    (flag("--knowledge", "kl + kl"), "names a term twice"),
    (flag("--scheme", "self", "--co-teacher", "cnn"), "is for the scheme online"),
    (flag("--scheme", "online", "--co-teacher", "resnat"), "Did you mean 'resnet'"),
    (flag("--scheme", "online", "--knowledge", "rkd"), "compares layers of a fixed teacher"),
    (flag("--scheme", "exits", "--family", "teacher"), "name it as --teacher module:function"),
    (
        ["search", "--data", "digits", "--budget", "25%", "--scheme", "exits"],
        "is a share of the teacher, and there is none",
    ),
    (flag("--knowledge", "fitnet", "--fix", "alpha=1"), "must be 0.95 or less"),
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
    (fix("rungs=[2]"), "rungs: must be below epochs: say epochs, too"),
    (fix("validation=2"), "validation: Input should be less than 1"),
    (fix("validation=0"), "validation: Input should be greater than 0"),
    (fix("words=0"), "words: Input should be greater"),
    (fix("drop_classes=eleven"), "drop_classes 'eleven': is no class of the data"),
    (flag("--drop", "x"), "is for tables; data 'digits' has no columns"),
    (flag("--keep", "x"), "is for tables; data 'digits' has no columns"),
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
    (data("imagefolder:few"), "only 2 examples of class 'dark'"),
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
    (data("npz:lonely.npz"), "has validation examples of one class alone, '0'"),
    ([*data("npz:split.npz"), "--fix", "validation=0.2"], "have a validation split of their own"),
    (data("npz:pipe.npz"), "pipe.npz: is no file"),
    (data("npz:full"), "full: is no file"),
    (data("imagefolder:alike"), "has pictures that are all alike"),
    (data("csv:quantity.csv"), "looks like a quantity: 40 different values in 40 rows"),
    (data("csv:dated.csv"), "looks like a quantity: 40 different values in 40 rows"),
    (data("csv:latin.csv"), "is not UTF-8"),
    (data("csv:rare.csv"), "leave its examples out with --drop-class a"),
    (data("csv:unlabelled.csv"), "has no value in the column 'y'"),
    (data("csv:bare.csv"), "has no column that tells of the classes"),
    (data("csv:counted.csv"), "has no column that tells of the classes"),
    (data("csv:infinite.csv"), "values that are infinite"),
    (data("csv:nothing.csv"), "nothing.csv: cannot be read"),
    (data("csv:heading.csv"), "has no value in the column 'y'"),
    (data("csv:wide.csv"), "20,001 columns, and 10,000 are the most"),
    (data("csv:pipe.csv"), "pipe.csv: cannot be read (it is no file)"),
    (data("csv:full"), "full: cannot be read"),
    ([*data("csv:right.csv"), "--drop", "z"], "--drop z: is no column"),
    ([*data("csv:right.csv"), "--keep", "X"], "Did you mean 'x'"),
    ([*data("csv:right.csv"), "--drop", "x"], "has no column that tells of the classes"),
    (data(f"csv:{LATIN}"), "caf\\xe9.csv: has a name that is not UTF-8"),
    (data(f"imagefolder:{LATIN}"), "has a name that is not UTF-8"),
    (data("faulty:nothing"), "data 'faulty:nothing': cannot be called"),
    (data("nowhere:load"), "data 'nowhere:load': cannot be called"),
    (data("faulty:jittered"), "a random transform"),
    (data("faulty:text"), "has text"),
    (data("faulty:number"), "gives int"),
    (teacher("resnet"), "teacher: 'resnet' names no teacher; say train, module:function"),
    (teacher("nowhere:net"), "teacher 'nowhere:net': cannot be made"),
    (teacher("faulty:number"), "returns int, not an nn.Module"),
    (teacher("faulty:twice"), "--teacher-output NAME"),
    (teacher("torchvision:resnt18"), "You may have meant: resnet18"),
    (teacher("torchvision:resnet18"), "--teacher-weights"),
    (teacher("tests.teachers.own:seven_classes"), "answers with shape (64, 7)"),
    (teacher("tests.teachers.own:not_finite"), "answers NaN"),
    (teacher("tests.teachers.own:guessing"), "is at chance on the data"),
    (teacher("tests.teachers.own:of_the_batch"), "to an example alone than among others"),
    (teacher("tests.teachers.own:always_dropped"), "otherwise when it is asked again"),
    (teacher("tests.teachers.own:never_alone"), "cannot answer a single example"),
    (teacher("tests.teachers.own:lazy"), "has layers that have no size yet"),
    (teacher("tests.teachers.own:quantised"), "is quantised"),
    (teacher(SMALL, "pipe.pt"), "pipe.pt: are no file"),
    (teacher(SMALL, "full"), "full: are no file"),
    (teacher(SMALL, "nowhere.pt"), "nowhere.pt: do not exist"),
    (teacher(SMALL, "wider.pt"), "instead of (4, 1, 3, 3)"),
    (teacher(SMALL, "pickled.pt"), "weights_only=False"),
    (teacher(SMALL, "epoch.pt"), "epoch.pt: hold no state dict"),
    (teacher(SMALL, "text.pt"), "text.pt: are no file that torch saved"),
    (flag("--study", "held"), "is being searched or confirmed by process"),
    (flag("--study", "full/file"), "cannot be written"),
    (flag("--study", "other"), "epochs: 7 there, unset asked"),
    (flag("--study", "taken"), "taken: holds no study, but checkpoints of something else"),
    (["search", "full", "--study", "empty"], "study: is full or empty: name one of them"),
    (flag("--study", LATIN), "has a name that is not UTF-8"),
    (["search", "--study", "without-data", *MORE], "data.json: is not what nas-kd writes there"),
    (["search", "--study", "without-config", *MORE], "Bring the study's folder teacher/"),
    (["export", "without-data", "--to", "new"], "data.json: is not what nas-kd writes there"),
    (["settings", "--format", "xml"], "--format: say table or markdown"),
    (["report", "STUDY", "--to", "full/file/page.html"], "Name another place for it"),
    (["trials", LATIN], "has a name that is not UTF-8"),
    (["trials", "nowhere"], "nowhere: holds no study"),
    (["trials", "damaged"], "study.db: cannot be used (file is not a database)"),
    (["search", "--study", "damaged"], "study.db: cannot be used (file is not a database)"),
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
    (["evaluate", "no-config.json"], "has schema None, and this version of nas-kd reads 5"),
    (["evaluate", "no-evaluations.json"], "evaluations.json: is not what nas-kd writes there"),
    (["evaluate", LATIN], "has a name that is not UTF-8"),
    (["evaluate", "torn"], "torn/config.json: is not what nas-kd writes there"),
    (["evaluate", "package", "--split", "train"], "--split: say test or validation"),
    (["evaluate", "package", "--data", "npz:onehot.npz"], "one-hot"),
    (
        ["evaluate", "package", "--data", "npz:right.npz", "--split", "validation"],
        "has no validation split of its own",
    ),
    (["evaluate", "package", "--data", "npz:wide.npz"], "The student takes (1, 8, 8)"),
    (["confirm", "nowhere"], "nowhere: holds no study"),
    (["confirm", "STUDY", "nowhere"], "nowhere: holds no study"),
    (["confirm", "STUDY", "--seeds", "0"], "--seeds: must be at least 2"),
    (["confirm", "STUDY", "--trial", "99"], "Say best, knee or a number below 8"),
    (["confirm", "STUDY", "--epochs", "0"], "--epochs: must be from 1 to"),
    (["confirm", "STUDY", "--job-limit", "0"], "--job-limit: say a time such as 90s"),
    (["confirm", "STUDY", "--device", "abacus"], "device 'abacus': is no device"),
    (flag("--device", "abacus"), "device 'abacus': is no device"),
    (flag("--executor", "localhost"), "executor 'localhost': is no address of a scheduler"),
    (flag("--executor", "http://localhost:8786"), "Say the address of a Dask scheduler: tcp://"),
    (flag("--storage", "mysql://db/studies"), "storage 'mysql': is no PostgreSQL server"),
    (flag("--storage", "postgresql://db"), "storage postgresql://db: names no database"),
    (flag("--storage", "postgresql://ana:secret@127.0.0.1:1/x"), "//ana@127.0.0.1:1/x: cannot be"),
    (flag("--metric", "accurcy"), "Did you mean 'accuracy'"),
    (flag("--range", "bits=4:8"), "bits: Input should be 8 or 32 (given: 4)"),
    (flag("--range", "bits=8:32"), "bits: both are searched under a budget of bytes or RAM"),
    (fix("qat=maybe"), "qat: Input should be a valid boolean"),
    (flag("--views", "99999"), "views: Input should be less than or equal to 100"),
    (flag("--budget", "3 kB", "--budget", "1 B ram"), "cnn 31 parameters, 107 bytes, 128 ram"),
    (flag("--teacher-layer", "x"), "kl compares no layers, and teacher_layer names x"),
    (teacher("train:0"), "'train:0': a width is a whole number"),
    (teacher("train+"), "'' names no teacher"),
    (teacher("nowhere.csv"), "nowhere.csv: cannot be read (No such file"),
    (teacher("right.csv"), "right.csv: has columns for x, y. The classes of the data are 0, 1"),
    (teacher("right.npz"), "right.npz: has the arrays X, y. Save it with numpy.savez"),
    (teacher("text.onnx"), "text.onnx: cannot be read"),
    (teacher("text.pt2"), "text.pt2: may hold pickles"),
    ([*teacher("text.pt2"), "--trust"], "text.pt2: cannot be read (it is no zip archive)"),
    (teacher("text.joblib"), "text.joblib: is a pickle"),
    (teacher("text.skops"), "text.skops: cannot be read"),
    (data("parquet:text.parquet"), "text.parquet: cannot be read"),
    ([*data("csv:right.csv"), "--label", "z"], "--label z: is no column of data csv:"),
    ([*data("csv:right.csv"), "--group", "z"], "--group z: is no column of data csv:"),
    ([*data("csv:right.csv"), "--label", "x"], "column 'x': looks like a quantity"),
    (["dashboard", "STUDY", "--host", "nowhere.invalid"], "or a name or address of this machine"),
    (["report", "STUDY", "--to", "full"], "--to: is a page: say NAME.html"),
    (["smallest", "STUDY"], "say one of --accuracy 98.5% and --of-teacher 99%"),
    (["smallest", "STUDY", "--of-teacher", "0"], "--of-teacher: say 98.5% or 0.985"),
    (["smallest", "nowhere"], "nowhere: holds no study"),
    (fix("split_seed=-1"), "split_seed: Input should be greater than or equal to 0"),
    (fix("teacher_width=1000000"), "teacher_width: Input should be less than or equal to 1024"),
    (teacher("train:5000"), "a width is a whole number up to 1024"),
    (flag("--trials", "9" * 30), "trials: "),
    (flag("--unlabelled", "1000000000"), "must be a number of examples up to 10,000,000"),
    (fix('plugins=".."'), "plug-in '..': cannot be imported"),
    (["confirm", "STUDY", "--seeds", "9" * 20], "--seeds: must be at most 1000"),
    (["confirm", "STUDY", "--epochs", "9" * 30], "--epochs: "),
    (["export", "STUDY", "--trial", "9" * 5000, "--to", "new"], "Say best, knee or a number"),
    (
        ["check", *data("csv:nothing.csv")[1:3], "--data", "csv:nothing.csv"],
        "nothing.csv: cannot be",
    ),
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


def test_there_are_many() -> None:
    assert len(MISTAKES) >= 200
