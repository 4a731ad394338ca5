"""The teacher's stored answers to a few examples, softened by a temperature that a slider sets.

Suffixes: N examples of the train split, C classes, K classes that are shown, H, W sides of a
picture.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from nas_kd.driver.signals_stage import META, stored_signals
from nas_kd.errors import NasKDError
from nas_kd.study.view import StudyView

TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 12.0, 20.0)
AT_FIRST = 4.0

SURENESS = (0.0, 0.02, 0.1, 0.3, 0.6, 1.0)
"""Which examples are shown: from the one of which the teacher is least sure to the surest."""

MOST_CLASSES = 12
"""Of so many classes all are shown; of more, an example's likeliest."""

Logits = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Softened:
    """One example, and what the teacher answers to it."""

    label: str
    classes: tuple[str, ...]
    """All classes, or the likeliest."""
    logits_C: Logits
    shown_K: NDArray[np.int64]
    """The numbers of the classes that are shown."""
    picture_HW3: NDArray[np.uint8] | None

    @property
    def title(self) -> str:
        """Its label, and what the teacher says if that is another class."""
        taken = self.classes[list(self.shown_K).index(int(self.logits_C.argmax()))]
        return f"label<br>{self.label}" + (f"<br>said<br>{taken}" * (taken != self.label))

    def shares(self, temperature: float) -> list[float]:
        """softmax(logits / T) of the classes that are shown."""
        shares: list[float] = softmax(self.logits_C / temperature)[self.shown_K].tolist()
        return shares


def softmax(logits_C: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Probabilities over the last dimension."""
    powers = np.exp(logits_C - logits_C.max(-1, keepdims=True))
    shares: NDArray[np.floating[Any]] = powers / powers.sum(-1, keepdims=True)
    return shares


def softened(view: StudyView) -> tuple[Softened, ...]:
    """A few labelled examples of the train split, the least sure first; nothing of a study that has
    not one teacher, or whose answers or data are not there."""
    places = sorted(meta.parent for meta in view.folder.root.glob(f"signals/*/{META}"))
    if len(places) != 1:
        return ()
    try:
        data = view.folder.read_data()
        first, last = data.labelled
        labels_N = np.asarray(data.labels.open()[first:last])
        logits_NC = stored_signals(places[0]).logits_VNC.open()[0]
        examples = data.examples.open()[first:last]
    except (NasKDError, OSError):
        return ()
    logits_NC = logits_NC[first - data.train[0] :][: last - first]
    by_sureness = softmax(logits_NC).max(-1).argsort(kind="stable")
    rows = dict.fromkeys(int(by_sureness[round(q * (len(by_sureness) - 1))]) for q in SURENESS)
    return tuple(
        of_example(data.classes, logits_NC[row], int(labels_N[row]), np.array(examples[row]))
        for row in rows
    )


def of_example(
    classes: tuple[str, ...],
    stored_C: NDArray[np.floating[Any]],
    label: int,
    example: NDArray[np.generic],
) -> Softened:
    """One example as it is shown."""
    logits_C = stored_C.astype(np.float64)
    likeliest_K = np.sort(logits_C.argsort(kind="stable")[::-1][:MOST_CLASSES])
    named = classes[label] if 0 <= label < len(classes) else "without a label"
    shown = tuple(classes[number] for number in likeliest_K)
    return Softened(named, shown, logits_C, likeliest_K, picture_of(example))


def picture_of(example: NDArray[np.generic]) -> NDArray[np.uint8] | None:
    """A picture [C, H, W] of one or three channels as [H, W, 3], its values stretched from black to
    white; None of anything else."""
    if example.ndim != 3 or example.shape[0] not in (1, 3):
        return None
    values = example.astype(np.float64)
    low, high = values.min(), values.max()
    stretched = 255 * (values - low) / max(high - low, 1e-12)
    picture_HWC = stretched.astype(np.uint8).transpose(1, 2, 0)
    return np.repeat(picture_HWC, 3, -1) if picture_HWC.shape[-1] == 1 else picture_HWC


def softened_figure(examples: tuple[Softened, ...]) -> go.Figure:
    """The examples side by side, the teacher's softened answers below, and a slider over T."""
    pictures = any(one.picture_HW3 is not None for one in examples)
    figure = make_subplots(
        rows=2, cols=len(examples), row_heights=[0.45, 0.55] if pictures else [0.01, 0.99],
        horizontal_spacing=0.02, vertical_spacing=0.06,
        column_titles=[one.title for one in examples],
    )  # fmt: skip
    for column, one in enumerate(examples, 1):
        figure.add_bar(
            x=list(one.classes), y=one.shares(AT_FIRST), marker_color="#2563eb", row=2, col=column,
            name=one.label, showlegend=False,
        )  # fmt: skip
        if one.picture_HW3 is not None:
            figure.add_trace(go.Image(z=one.picture_HW3, hoverinfo="skip"), row=1, col=column)
    figure.update_annotations(font_size=12)
    bars = [number for number, trace in enumerate(figure.data) if trace.type == "bar"]
    figure.update_xaxes(type="category", tickfont={"size": 9}, row=2)
    figure.update_yaxes(range=[0, 1], showticklabels=False, row=2)
    figure.update_yaxes(showticklabels=True, row=2, col=1)
    figure.update_xaxes(visible=False, row=1)
    figure.update_yaxes(visible=False, row=1)
    figure.update_layout(
        height=470, template="plotly_white", margin={"l": 40, "r": 10, "t": 90, "b": 10},
        sliders=[{
            "active": TEMPERATURES.index(AT_FIRST),
            "currentvalue": {"prefix": "T = "},
            "steps": [
                {
                    "label": f"{temperature:g}",
                    "method": "restyle",
                    "args": [{"y": [one.shares(temperature) for one in examples]}, bars],
                }
                for temperature in TEMPERATURES
            ],
        }],
    )  # fmt: skip
    return figure
