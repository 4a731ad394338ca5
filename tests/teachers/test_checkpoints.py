"""Checkpoints as people have them: each loads, or says how to save it again."""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from nas_kd.errors import UnusableTeacher
from nas_kd.teachers.checkpoints import fit
from nas_kd.teachers.loading import fingerprint
from nas_kd.teachers.network import wide

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
    "lightning": (lightning, ("taken from 'state_dict'", "prefix 'model.' taken off")),
    "ddp": (lambda s: prefixed(s, "module."), ("prefix 'module.' taken off",)),
    "compiled": (lambda s: prefixed(s, "_orig_mod."), ("prefix '_orig_mod.' taken off",)),
    "compiled ddp": (
        lambda s: prefixed(s, "module._orig_mod."),
        ("prefix 'module.' taken off", "prefix '_orig_mod.' taken off"),
    ),
    "nested state_dict": (lambda s: {"state_dict": s, "epoch": 1}, ("taken from 'state_dict'",)),
    "nested model_state_dict": (
        lambda s: {"model_state_dict": s, "loss": 0.5},
        ("taken from 'model_state_dict'",),
    ),
    "nested model": (lambda s: {"model": s}, ("taken from 'model'",)),
    "nested twice": (
        lambda s: {"model": {"state_dict": prefixed(s, "module.")}},
        ("taken from 'model'", "taken from 'state_dict'", "prefix 'module.' taken off"),
    ),
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


def nonsense(path: Path) -> None:
    path.write_bytes(b"no weights at all")


def a_list(path: Path) -> None:
    torch.save([1, 2], path)


def no_state(path: Path) -> None:
    torch.save({"epoch": 3}, path)


def wider(path: Path) -> None:
    torch.save(network(5).state_dict(), path)


def deeper(path: Path) -> None:
    torch.save(nn.Sequential(network()).state_dict(), path)


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
        (deeper, r"they lack 0\.weight, .* and have 0\.0\.weight"),
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
