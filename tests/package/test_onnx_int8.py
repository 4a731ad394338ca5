"""8-bit students in ONNX Runtime."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from nas_kd.package.onnx import EXACT
from nas_kd.package.onnx_int8 import quantised_model
from nas_kd.students.family import StudentConfig
from nas_kd.students.quantised import Program
from tests.students.quantised.networks import (
    CLASSES,
    configs,
    drawn,
    every,
    made,
    program_of,
    settled,
)
from tests.students.quantised.test_lowering import Ends, Foreign


def answers(program: Program, examples: Tensor) -> Tensor:
    """What the model of a program answers, once it was checked."""
    shape = tuple(examples.shape[1:])
    model = quantised_model(onnx, program, shape, CLASSES, {"classes": json.dumps(["a", "b"])})
    onnx.checker.check_model(model, full_check=True)
    how = onnxruntime.SessionOptions()
    for name, value in EXACT.items():
        how.add_session_config_entry(name, value)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), how, providers=["CPUExecutionProvider"]
    )
    assert session.get_modelmeta().custom_metadata_map == {"classes": '["a", "b"]'}
    (logits,) = session.run(None, {"examples": examples.float().numpy()})
    return torch.from_numpy(logits)


def same_class(network: nn.Module, shape: tuple[int, ...]) -> float:
    """The share of 1,000 examples to which the model gives the class of the integers."""
    program, examples = program_of(network, shape), drawn(shape, 1000)
    found, wanted = answers(program, examples), program(examples)
    return float((found.argmax(1) == wanted.argmax(1)).float().mean())


@pytest.mark.parametrize("config", list(every()))
def test_the_runtime_gives_the_class_of_the_integers(config: StudentConfig) -> None:
    assert same_class(made(config), config.input_shape) >= 0.995


@pytest.mark.parametrize(
    ("network", "shape"), [(Foreign(), (3, 32, 32)), (Ends(), (2, 20))], ids=["foreign", "ends"]
)
def test_networks_of_others_run_there_too(network: nn.Module, shape: tuple[int, ...]) -> None:
    assert same_class(settled(network, shape), shape) >= 0.99


def test_a_function_that_onnx_lacks_is_looked_up() -> None:
    network = settled(nn.Sequential(nn.Linear(6, 9), nn.SiLU(), nn.Linear(9, CLASSES)), (6,))
    program, examples = program_of(network, (6,)), drawn((6,), 300)
    assert float((answers(program, examples) - program(examples)).abs().max()) < 1e-5


def test_weights_are_integers_in_the_file() -> None:
    config = next(configs(((17,),)))
    program = program_of(made(config), (17,))
    model = quantised_model(onnx, program, (17,), CLASSES, {})
    kinds = {one.name: onnx.numpy_helper.to_array(one).dtype for one in model.graph.initializer}
    weights = [kind for name, kind in kinds.items() if name.endswith("weight.integers")]
    assert weights
    assert {*weights} == {np.dtype(np.int8)}
