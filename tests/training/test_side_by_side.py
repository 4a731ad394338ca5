"""Students that are trained with others, in rounds, with early exits, or by a teacher's layers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load
from torch import Tensor

from nas_kd.costs.counting import measure
from nas_kd.data.arrays import ArrayRef
from nas_kd.data.signals import Kept, Signals, Tap
from nas_kd.data.transfer import TransferSet, size
from nas_kd.data.views import Views
from nas_kd.errors import Unusable
from nas_kd.knowledge import KNOWLEDGE
from nas_kd.schemes import SCHEMES, Scheme
from nas_kd.schemes.scheme import round_ends
from nas_kd.students import build
from nas_kd.students.family import StudentConfig
from nas_kd.students.taps import taps_of
from nas_kd.training import Member, RungJob, TrainSettings, cohort, derive, run_rung, weights
from nas_kd.training.objective import targets
from nas_kd.training.side_by_side import exit_taps
from tests.training.test_cohort import in_float64

FAMILIES = {
    "cnn": StudentConfig("cnn", (1, 8, 8), 10, 3, (8, 12, 16)),
    "mlp": StudentConfig("mlp", (1, 8, 8), 10, 2, (16, 12)),
    "resnet": StudentConfig("resnet", (1, 8, 8), 10, 3, (4, 6, 8)),
    "mobilenet": StudentConfig("mobilenet", (1, 8, 8), 10, 3, (6, 8, 10)),
}
LIVE = ["online", "co_teacher", "exits"]


def member(family: str = "cnn", **settings: Any) -> Member:
    plain = {"temperature": 4.0, "alpha": 0.9, "learning_rate": 0.02, "knowledge": "kl"}
    return Member(0, FAMILIES[family], plain | settings, seed=1)


def job(data: TransferSet, signals: Signals | None, *members: Member, **changes: Any) -> RungJob:
    shared = {
        name: changes.pop(name)
        for name in ("scheme", "peers", "epochs", "batch")
        if name in changes
    }
    if shared.get("scheme") == "co_teacher":
        shared["co_teacher"] = FAMILIES["resnet"]
    settings = TrainSettings(**({"epochs": 4, "batch": 32} | shared))
    plain = RungJob(members, data, signals, settings, 0, 0, settings.epochs, data.validation)
    return replace(plain, **changes)


@pytest.fixture(scope="module")
def layered(digits: TransferSet, tmp_path_factory: pytest.TempPathFactory) -> Signals:
    """What some terms keep of a teacher whose layers are random pictures of the class."""
    folder = tmp_path_factory.mktemp("layered")
    labels_N = digits.labels.open()[slice(*digits.train)]
    random = np.random.default_rng(0)
    logits_VNC = 4 * np.eye(10)[labels_N] + random.normal(size=(1, len(labels_N), 10))
    kept = []
    for term in ("fitnet", "attention", "rkd", "channel_correlation"):
        sides = () if term == "rkd" else (4, 4)
        means = random.normal(size=(10, 6, *sides)).astype(np.float32)
        features = KNOWLEDGE[term].keep((torch.from_numpy(means[labels_N]),))
        arrays = tuple(
            ArrayRef.save(one.numpy()[None], folder / f"{term}-{n}.npy")
            for n, one in enumerate(features)
        )
        kept.append(Kept(term, (Tap("layer", 6, sides),), arrays))
    logits = ArrayRef.save(logits_VNC.astype(np.float32), folder / "logits.npy")
    return Signals("1" * 24, logits, None, tuple(kept))


def test_stored_answers_are_those_to_the_view_in_which_an_example_is_seen() -> None:
    logits_VNC = torch.arange(3 * 5 * 2, dtype=torch.float32).reshape(3, 5, 2)
    imitated = targets(logits_VNC, torch.device("cpu"))
    for epoch in range(4):
        found_NC = imitated(epoch, torch.arange(5))
        for i in range(5):
            assert torch.equal(found_NC[i], logits_VNC[(epoch + i) % 3, i])
    once = targets(logits_VNC[:1], torch.device("cpu"))
    assert torch.equal(once(7, torch.tensor([4, 0])), logits_VNC[0, [4, 0]])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scheme", [*LIVE, "self"])
def test_a_student_learns_in_each_scheme(digits: TransferSet, family: str, scheme: str) -> None:
    (result,) = run_rung(job(digits, None, member(family), scheme=scheme, epochs=8))
    assert result.fault is None
    assert result.accuracy > 0.5


@pytest.mark.parametrize("family", ["cnn", "mlp"])
@pytest.mark.parametrize("scheme", [*LIVE, "self"])
def test_going_on_from_any_epoch_is_the_same_as_never_having_stopped(
    digits: TransferSet, family: str, scheme: str
) -> None:
    (whole,) = run_rung(job(digits, None, member(family), scheme=scheme))
    checkpoint = None
    for epoch in range(4):
        one = replace(member(family), checkpoint=checkpoint)
        (result,) = run_rung(job(digits, None, one, scheme=scheme, start=epoch, stop=epoch + 1))
        checkpoint = result.checkpoint
    assert checkpoint == whole.checkpoint


@pytest.mark.parametrize("scheme", LIVE)
def test_what_is_trained_beside_a_student_is_kept_apart_from_it(
    digits: TransferSet, scheme: str
) -> None:
    (result,) = run_rung(job(digits, None, member(), scheme=scheme))
    kept = load(result.checkpoint)
    beside = {name for name in kept if name.startswith(("peer.", "adapter."))}
    assert beside
    assert not any(name.startswith(("peer.", "adapter.")) for name in weights(result.checkpoint))
    network = build(FAMILIES["cnn"])
    network.load_state_dict(weights(result.checkpoint))
    assert measure(network, (1, 8, 8)) == measure(build(FAMILIES["cnn"]), (1, 8, 8))
    starts = {"online": "peer.1.model.", "co_teacher": "peer.1.exp_avg.", "exits": "adapter.model."}
    assert any(name.startswith(starts[scheme]) for name in beside)


@pytest.mark.parametrize("scheme", [*LIVE, "self"])
def test_a_student_without_alpha_trains_alone_in_any_scheme(
    digits: TransferSet, scheme: str
) -> None:
    alone = member(alpha=0.0)
    (plain,) = run_rung(job(digits, None, alone))
    (found,) = run_rung(job(digits, None, alone, scheme=scheme))
    assert found.checkpoint == plain.checkpoint


def test_peers_are_one_config_from_other_weights_and_each_has_a_say(digits: TransferSet) -> None:
    found = []
    for peers in (2, 3):
        (result,) = run_rung(job(digits, None, member(), scheme="online", peers=peers))
        kept = load(result.checkpoint)
        numbers = {name.split(".")[1] for name in kept if name.startswith("peer.")}
        assert numbers == {str(n) for n in range(1, peers)}
        mine, other = weights(result.checkpoint), weights(result.checkpoint, "peer.1.")
        assert {n: v.shape for n, v in mine.items()} == {n: v.shape for n, v in other.items()}
        assert not torch.equal(mine["0.weight"], other["0.weight"])
        found.append(mine["0.weight"])
    assert not torch.equal(*found), "the third peer teaches too"


def test_of_several_peers_each_imitates_all_others() -> None:
    live_GBC = torch.randn(3, 4, 5)
    target = SCHEMES["online"].target
    assert target is not None
    found_KGBC = target(live_GBC)
    assert found_KGBC.shape == (2, 3, 4, 5)
    for g in range(3):
        shown = {tuple(found_KGBC[k, g].flatten().tolist()) for k in range(2)}
        others = {tuple(live_GBC[o].flatten().tolist()) for o in range(3) if o != g}
        assert shown == others


def test_a_co_teacher_learns_as_if_it_were_alone(digits: TransferSet, precise: None) -> None:
    """It has labels only, as if it trained alone, whatever the student's temperature is."""
    results = [
        in_float64(job(digits, None, member(temperature=t), scheme="co_teacher", epochs=1))[0]
        for t in (1.0, 8.0)
    ]
    one, other = (weights(result.checkpoint, "peer.1.") for result in results)
    assert all(torch.equal(one[name], other[name]) for name in one)
    settings = member(alpha=0.0).settings
    alone = Member(0, FAMILIES["resnet"], settings, seed=derive(1, "peer", 1))
    (result,) = in_float64(job(digits, None, alone, epochs=1))
    for name, value in weights(result.checkpoint).items():
        torch.testing.assert_close(one[name], value, rtol=1e-6, atol=1e-8)
    mine, theirs = (weights(result.checkpoint) for result in results)
    assert not all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize(
    ("config", "exits"),
    [
        (StudentConfig("cnn", (1, 8, 8), 10, 4, (4, 5, 6, 7)), ["5"]),
        (StudentConfig("cnn", (1, 8, 8), 10, 1, (4,)), []),
        (StudentConfig("cnn", (3, 32, 32), 10, 4, (4, 5, 6, 7)), ["2"]),
        (StudentConfig("mlp", (1, 8, 8), 10, 3, (4, 5, 6)), ["2", "4"]),
        (StudentConfig("resnet", (3, 32, 32), 10, 3, (4, 5, 6)), ["3", "4"]),
    ],
)
def test_exits_are_after_stages_or_in_the_middle_of_one(
    config: StudentConfig, exits: list[str]
) -> None:
    assert [tap.name for tap in exit_taps(config)] == exits


def test_a_student_with_one_layer_has_no_early_exit_and_learns(digits: TransferSet) -> None:
    shallow = replace(member("mlp"), config=StudentConfig("mlp", (1, 8, 8), 10, 1, (16,)))
    (result,) = run_rung(job(digits, None, shallow, scheme="exits"))
    assert result.accuracy > 0.5
    assert not any(name.startswith("adapter.") for name in load(result.checkpoint))


def test_the_first_round_is_a_student_alone_and_the_second_begins_anew(
    digits: TransferSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Tensor] = []

    def watched(logits_VNC: Tensor, device: torch.device) -> Any:
        seen.append(logits_VNC)
        return targets(logits_VNC, device)

    monkeypatch.setattr("nas_kd.training.objective.targets", watched)
    viewed = replace(digits, views=Views(3, 1))
    first = run_rung(job(viewed, None, member(), scheme="self", stop=2))[0]
    alone = run_rung(job(viewed, None, member(alpha=0.0), epochs=2))[0]
    assert weights(first.checkpoint).keys() == weights(alone.checkpoint).keys()
    assert all(torch.equal(value, weights(alone.checkpoint)[name])
               for name, value in weights(first.checkpoint).items())  # fmt: skip
    assert not seen
    second = run_rung(job(viewed, None, replace(member(), checkpoint=first.checkpoint),
                          scheme="self", start=2, stop=3))[0]  # fmt: skip
    assert seen[0].shape == (3, size(digits.train), 10)
    before = weights(second.checkpoint, "before.")
    assert all(torch.equal(before[name], value)
               for name, value in weights(first.checkpoint).items())  # fmt: skip
    drawn = cohort.fresh(replace(member(), seed=derive(1, "round", 1)))
    assert not torch.equal(drawn.state_dict()["0.weight"], before["0.weight"])


def test_a_scheme_has_one_way_to_teach() -> None:
    with pytest.raises(ValueError, match="one of them"):
        Scheme(teacher=True, rounds=2)
    with pytest.raises(ValueError, match="one of them"):
        Scheme(rounds=2, target=lambda live_GBC: live_GBC)
    with pytest.raises(ValueError, match="need a target"):
        Scheme(exits=True)


def test_rounds_share_the_epochs() -> None:
    assert round_ends(10, 2) == (5, 10)
    assert round_ends(7, 2) == (3, 7)
    assert round_ends(9, 1) == (9,)


@pytest.mark.parametrize("knowledge", ["fitnet", "attention", "rkd", "channel_correlation",
                                       "kl + 2 rkd", "fitnet + rkd"])  # fmt: skip
def test_a_student_learns_from_layers_and_the_teacher_matters(
    digits: TransferSet, layered: Signals, knowledge: str, tmp_path: Path
) -> None:
    one = member(knowledge=knowledge, alpha=0.5)
    (taught,) = run_rung(job(digits, layered, one, epochs=6))
    assert taught.accuracy > 0.6
    (kept, *_) = [kept for kept in layered.kept if kept.term in knowledge]
    moved = ArrayRef.save(np.array(kept.arrays[0].open())[:, ::-1].copy(), tmp_path / "moved.npy")
    others = tuple(replace(k, arrays=(moved,)) if k is kept else k for k in layered.kept)
    (other,) = run_rung(job(digits, replace(layered, kept=others), one, epochs=6))
    mine, theirs = weights(taught.checkpoint), weights(other.checkpoint)
    assert not all(torch.equal(mine[name], theirs[name]) for name in mine)


def test_an_adapter_is_trained_and_kept_apart_and_a_student_goes_on_with_it(
    digits: TransferSet, layered: Signals
) -> None:
    one = member(knowledge="fitnet", alpha=0.5)
    (whole,) = run_rung(job(digits, layered, one))
    (half,) = run_rung(job(digits, layered, one, stop=2))
    (rest,) = run_rung(job(digits, layered, replace(one, checkpoint=half.checkpoint), start=2))
    assert rest.checkpoint == whole.checkpoint
    names = [name for name in load(whole.checkpoint) if name.startswith("adapter.")]
    assert {name.split(".")[1] for name in names} == {"model", "exp_avg", "exp_avg_sq"}
    before, after = (weights(result.checkpoint, "adapter.") for result in (half, whole))
    assert not torch.equal(before["fitnet-0.map.weight"], after["fitnet-0.map.weight"])
    assert before["fitnet-0.map.weight"].shape == (6, 16, 1)
    build(one.config).load_state_dict(weights(whole.checkpoint))


def test_a_student_without_the_layers_of_a_term_is_named(
    digits: TransferSet, layered: Signals
) -> None:
    one = member("mlp", knowledge="attention", alpha=0.5)
    with pytest.raises(Unusable, match=r"student mlp 16-12: has no layers with maps.*attention"):
        run_rung(job(digits, layered, one))


def test_a_loss_of_layers_that_breaks_names_its_term(
    digits: TransferSet, layered: Signals, tmp_path: Path
) -> None:
    (kept,) = [one for one in layered.kept if one.term == "fitnet"]
    broken = np.array(kept.arrays[0].open())
    broken[0, :50] = np.nan
    array = ArrayRef.save(broken, tmp_path / "broken.npy")
    signals = replace(layered, kept=(replace(kept, arrays=(array,)),))
    (result,) = run_rung(job(digits, signals, member(knowledge="fitnet", alpha=0.5)))
    assert result.fault == "the loss with knowledge fitnet was not finite by epoch 4"


def test_layers_are_seen_in_the_view_of_their_example(
    digits: TransferSet, layered: Signals, tmp_path: Path
) -> None:
    """With three views that are all alike in what is kept, nothing depends on the view."""
    viewed = replace(digits, views=Views(3, 0))
    (kept,) = [kept for kept in layered.kept if kept.term == "fitnet"]
    one = np.array(kept.arrays[0].open())
    results = []
    for name, stored in (("alike", np.concatenate([one] * 3)),
                         ("other", np.concatenate([one, one[:, ::-1], one]))):  # fmt: skip
        logits = np.concatenate([np.array(layered.logits_VNC.open())] * 3)
        signals = replace(
            layered,
            logits_VNC=ArrayRef.save(logits, tmp_path / f"{name}-logits.npy"),
            kept=(replace(kept, arrays=(ArrayRef.save(stored, tmp_path / f"{name}.npy"),)),),
        )
        (result,) = run_rung(job(viewed, signals, member(knowledge="fitnet", alpha=0.5), epochs=2))
        results.append(weights(result.checkpoint))
    (plain,) = run_rung(job(digits, layered, member(knowledge="fitnet", alpha=0.5), epochs=2))
    alone = weights(plain.checkpoint)
    assert all(torch.equal(results[0][name], alone[name]) for name in alone)
    assert not all(torch.equal(results[1][name], alone[name]) for name in alone)


@pytest.mark.parametrize("knowledge", ["kl", "dkd", "dist"])
@pytest.mark.parametrize("scheme", LIVE)
def test_unlabelled_rows_and_class_weights_go_with_every_scheme(
    digits: TransferSet, scheme: str, knowledge: str, tmp_path: Path
) -> None:
    labels = np.array(digits.labels.open())
    labels[digits.train[0] : digits.train[0] + 300] = -1
    bare = replace(digits, labels=ArrayRef.save(labels, tmp_path / "labels.npy"))
    inner = {"target_weight": 1.0, "other_weight": 2.0} if knowledge == "dkd" else {}
    one = member(knowledge=knowledge, alpha=0.5, **inner)
    plain = job(bare, None, one, scheme=scheme, peers=3, epochs=2)
    (result,) = run_rung(plain)
    weighed = replace(plain.settings, class_weights=tuple(np.linspace(0.1, 2, 10)))
    (other,) = run_rung(replace(plain, settings=weighed))
    assert (result.fault, other.fault) == (None, None)
    mine, theirs = weights(result.checkpoint), weights(other.checkpoint)
    assert not all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_taps_and_the_last_is_before_the_logits(family: str) -> None:
    taps = taps_of(FAMILIES[family])
    assert taps
    assert taps[-1].sides == ()
    assert taps[-1].channels == FAMILIES[family].channels[-1]
