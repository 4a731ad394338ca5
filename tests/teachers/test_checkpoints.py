"""Checkpoints as people have them: each loads, or says how to save it again."""

import argparse
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nas_kd.errors import UnusableTeacher
from nas_kd.teachers.checkpoints import fit
from nas_kd.teachers.network import wide
from nas_kd.teachers.networks import fingerprint

State = dict[str, Tensor]


def network(width: int = 4) -> nn.Module:
    return wide((1, 8, 8), 10, width)


def prefixed(state: State, prefix: str) -> State:
    return {prefix + name: value for name, value in state.items()}


def lightning(state: State) -> dict[str, object]:
    """As a Lightning trainer saves a module that holds the network as `model`."""
    return {
        "epoch": 3,
        "global_step": 100,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": prefixed(state, "model.") | {"criterion.weight": torch.ones(10)},
        "hyper_parameters": {"lr": 0.1},
        "optimizer_states": [{"state": {}, "param_groups": [{"lr": 0.1}]}],
    }


SHAPES: dict[str, tuple[Callable[[State], object], tuple[str, ...]]] = {
    "plain": (lambda s: s, ()),
    "lightning": (
        lightning,
        ("taken from 'state_dict'", "prefix 'model.' taken off", "1 tensors without it not used"),
    ),
    "ddp": (lambda s: prefixed(s, "module."), ("prefix 'module.' taken off",)),
    "compiled": (lambda s: prefixed(s, "_orig_mod."), ("prefix '_orig_mod.' taken off",)),
    "compiled ddp": (
        lambda s: prefixed(s, "module._orig_mod."),
        ("prefix 'module._orig_mod.' taken off",),
    ),
    "nested state_dict": (lambda s: {"state_dict": s, "epoch": 1}, ("taken from 'state_dict'",)),
    "nested model_state_dict": (
        lambda s: {"model_state_dict": s, "loss": 0.5},
        ("taken from 'model_state_dict'",),
    ),
    "nested model": (lambda s: {"model": s}, ("taken from 'model'",)),
    "nested twice": (
        lambda s: {"model": {"state_dict": prefixed(s, "module.")}},
        ("taken from 'model.state_dict'", "prefix 'module.' taken off"),
    ),
    "nested net": (lambda s: {"net": s, "acc": 95.1}, ("taken from 'net'",)),
    "nested four times": (
        lambda s: {"a": {"b": {"c": {"d": prefixed(s, "e.f.")}}}},
        ("taken from 'a.b.c.d'", "prefix 'e.f.' taken off"),
    ),
    "lightning's net": (
        lambda s: {"state_dict": prefixed(s, "net.")},
        ("taken from 'state_dict'", "prefix 'net.' taken off"),
    ),
    "weights and their average": (
        lambda s: {"ema_state_dict": s, "state_dict": s},
        ("taken from 'state_dict'", "'ema_state_dict' would fit too, and is not used"),
    ),
    "profiled": (
        lambda s: s | {"total_ops": torch.zeros(1), "0.total_params": torch.zeros(1)},
        ("2 counters of a profiler not used",),
    ),
    "before batches were counted": (
        lambda s: {k: v for k, v in s.items() if "num_batches" not in k},
        ("4 batch norms without num_batches_tracked",),
    ),
    "wrapped": (lambda s: prefixed(s, "0."), ("prefix '0.' taken off",)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_checkpoint_loads_and_what_was_undone_is_said(shape: str, tmp_path: Path) -> None:
    make, expected = SHAPES[shape]
    source, target = network(), network()
    torch.save(make(source.state_dict()), tmp_path / "teacher.pt")
    assert fingerprint(source) != fingerprint(target)
    assert fit(tmp_path / "teacher.pt", target, "mine:net") == expected
    assert fingerprint(source) == fingerprint(target)


def test_safetensors_load(tmp_path: Path) -> None:
    source, target = network(), network()
    save_file(source.state_dict(), tmp_path / "teacher.safetensors")
    assert fit(tmp_path / "teacher.safetensors", target, "mine:net") == ()
    assert fingerprint(source) == fingerprint(target)


def test_half_precision_loads_into_single(tmp_path: Path) -> None:
    source, target = network().half(), network()
    torch.save(source.state_dict(), tmp_path / "teacher.pt")
    fit(tmp_path / "teacher.pt", target, "mine:net")
    assert {p.dtype for p in target.parameters()} == {torch.float32}
    mine, theirs = (next(n.parameters()) for n in (target, source))
    torch.testing.assert_close(mine, theirs.float())


class Odd:
    """Something that is no tensor."""


def whole_module(path: Path) -> None:
    torch.save(network(), path)


def pickled_objects(path: Path) -> None:
    torch.save({"state_dict": network().state_dict(), "config": Odd()}, path)


@pytest.mark.parametrize("save", [whole_module, pickled_objects])
def test_a_pickle_is_refused_with_the_three_lines_that_save_it_again(
    save: Callable[[Path], None], tmp_path: Path
) -> None:
    path = tmp_path / "teacher.pt"
    save(path)
    with pytest.raises(UnusableTeacher, match="hold more than tensors") as caught:
        fit(path, network(), "mine:net")
    text = str(caught.value)
    for line in ("import torch", f"found = torch.load({str(path)!r}, weights_only=False)",
                 "torch.save(state, "):  # fmt: skip
        assert line in text


def test_arguments_and_numbers_beside_the_weights_do_no_harm(tmp_path: Path) -> None:
    beside = {"args": argparse.Namespace(lr=0.1, steps=[1, 2]), "best": np.float64(0.5)}
    torch.save({"model": network().state_dict(), "odd": {0: torch.ones(2)}} | beside,
               tmp_path / "teacher.pt")  # fmt: skip
    assert fit(tmp_path / "teacher.pt", network(), "mine:net") == ("taken from 'model'",)


def test_a_network_that_wraps_another_takes_its_weights(tmp_path: Path) -> None:
    source, target = network(), nn.Sequential(network())
    torch.save(source.state_dict(), tmp_path / "teacher.pt")
    assert fit(tmp_path / "teacher.pt", target, "mine:net") == ("prefix '0.' put before",)
    assert fingerprint(source) == fingerprint(target[0])


def test_of_several_that_fit_the_one_of_the_right_shapes_is_taken(tmp_path: Path) -> None:
    source, target = network(), network()
    found = {"state_dict": network(5).state_dict(), "net": source.state_dict()}
    torch.save(found, tmp_path / "teacher.pt")
    assert "taken from 'net'" in fit(tmp_path / "teacher.pt", target, "mine:net")
    assert fingerprint(source) == fingerprint(target)


def test_weights_of_another_kind_are_refused(tmp_path: Path) -> None:
    state = network().state_dict()
    state["0.weight"] = state["0.weight"].to(torch.int8)
    torch.save(state, tmp_path / "teacher.pt")
    with pytest.raises(UnusableTeacher, match=r"0\.weight is torch\.int8"):
        fit(tmp_path / "teacher.pt", network(), "mine:net")


def test_what_lies_outside_of_the_prefix_is_counted(tmp_path: Path) -> None:
    twice(tmp_path / "teacher.pt")
    said = fit(tmp_path / "teacher.pt", network(), "mine:net")
    assert said == ("prefix '0.' taken off", "2 tensors without it not used")


def test_a_lazy_network_takes_the_sizes_of_its_file(tmp_path: Path) -> None:
    source = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
    torch.save(source.state_dict(), tmp_path / "teacher.pt")
    target = nn.Sequential(nn.Flatten(), nn.LazyLinear(10))
    assert fit(tmp_path / "teacher.pt", target, "mine:net") == ()
    assert fingerprint(source) == fingerprint(target)


def of_numpy_1(path: Path) -> None:
    """Rewrite the names of a pickle as numpy 1 wrote them."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            old = content.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
            archive.writestr(name, old if name.endswith(".pkl") else content)


@pytest.mark.parametrize("old", [False, True])
def test_numbers_arrays_and_paths_beside_the_weights_do_no_harm(old: bool, tmp_path: Path) -> None:
    beside = {
        "args": argparse.Namespace(out=Path("runs/x"), kind=np.dtype(np.int32)),
        "best": np.float32(0.5),
        "mean": np.zeros((3, 2)),
        "seen": np.int64(7),
    }
    torch.save({"model": network().state_dict()} | beside, tmp_path / "teacher.pt")
    if old:
        of_numpy_1(tmp_path / "teacher.pt")
        assert b"numpy.core" in (tmp_path / "teacher.pt").read_bytes()
    assert fit(tmp_path / "teacher.pt", network(), "mine:net") == ("taken from 'model'",)


def nonsense(path: Path) -> None:
    path.write_bytes(b"no weights at all")


def a_list(path: Path) -> None:
    torch.save([1, 2], path)


def no_state(path: Path) -> None:
    torch.save({"epoch": 3}, path)


def wider(path: Path) -> None:
    torch.save(network(5).state_dict(), path)


def twice(path: Path) -> None:
    torch.save(nn.Sequential(network(), nn.Linear(10, 10)).state_dict(), path)


def larger(path: Path) -> None:
    torch.save(network().state_dict() | {"99.weight": torch.ones(1)}, path)


def half(path: Path) -> None:
    torch.save(dict(list(network().state_dict().items())[:8]), path)


def cut_off(path: Path) -> None:
    torch.save(network().state_dict(), path)
    path.write_bytes(path.read_bytes()[:500])


@pytest.mark.parametrize(
    ("save", "wrong"),
    [
        (nonsense, "are no file that torch saved"),
        (a_list, "are a list, no state dict"),
        (no_state, "hold no state dict"),
        (wider, r"0\.weight \(5, 1, 3, 3\) instead of \(4, 1, 3, 3\)"),
        (larger, r"they have 99\.weight too many"),
        (half, r"they lack 4\.bias"),
        (cut_off, "cannot be read"),
        (lambda path: None, "do not exist"),
    ],
)
def test_a_file_that_does_not_fit_names_what_is_wrong(
    save: Callable[[Path], None], wrong: str, tmp_path: Path
) -> None:
    path = tmp_path / "teacher.pt"
    save(path)
    with pytest.raises(UnusableTeacher, match=wrong) as caught:
        fit(path, network(), "mine:net")
    assert "teacher.pt" in str(caught.value)
