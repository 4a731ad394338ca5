"""Ray Tune with OptunaSearch and ASHA, as its guide has it, with the teacher's logits cached.

    python ray_tune.py DATA ROOT BUDGET STUDENTS EPOCHS SEED TEACHER FAMILIES CACHED OUT

The arguments are those of usual.py. Two trials at a time with a thread each; sizes over the budget
end at once and are counted. The clock starts when Ray has started.
"""

import json
import os
import sys
import time
from pathlib import Path

os.environ |= {"RAY_AIR_NEW_OUTPUT": "0", "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0"}
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler
from ray.tune.search.optuna import OptunaSearch

sys.path.insert(0, str(Path(__file__).parent))
from usual import RATE, accuracy, answers, cnn, distilling, loader, mlp, ready

from nas_kd.data import SOURCES
from nas_kd.data.source import Request
from nas_kd.data.transfer import prepare

name, root, budget, students, epochs, seed, teacher, families, _, out = sys.argv[1:]


class Enough(tune.Stopper):
    """Ends the search when so many students of a fitting size have reported."""

    def __init__(self):
        self.seen = {}

    def __call__(self, trial_id, result):
        if result["size"] <= int(budget):
            self.seen[trial_id] = (result["accuracy"], result["size"], result["training_iteration"])
        return False

    def stop_all(self):
        return len(self.seen) >= int(students) + 2  # the last two may not be through


def train(config, data, logits):
    import torch  # at the top it would be pickled with the function, which it cannot be

    torch.set_num_threads(1)
    shape, classes = data.input_shape, len(data.classes)
    family = config["family"]
    widths = [config[f"{family}{n}"] for n in range(config["depth"])]
    model = {"cnn": cnn, "mlp": mlp}[family](widths, shape, classes)
    size = sum(p.numel() for p in model.parameters())
    if size > int(budget):
        tune.report({"accuracy": 0.0, "size": size, "seconds": 0.0})
        return
    examples, validation = loader(data, data.train, True), loader(data, data.validation, False)
    distil = distilling(config["temperature"], config["alpha"], None, logits)
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=int(epochs) * len(examples)
    )
    for _ in range(int(epochs)):
        model.train()
        for image, label, index in examples:
            loss = distil(model(image), label, image, index)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        tune.report({"accuracy": accuracy(model, validation), "size": size, "at": time.time()})


def main():
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(int(seed))
    here = str(Path(__file__).parent)
    paths = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False,
             runtime_env={"env_vars": {"PYTHONPATH": paths}})  # fmt: skip
    began = time.time()
    data = prepare(name, SOURCES[name], Request(Path(root)))
    logits = answers(ready(teacher, data), data)
    space = {"family": tune.choice(families.split(",")), "depth": tune.randint(1, 5),
             "temperature": tune.loguniform(1, 20), "alpha": tune.uniform(0, 1)}  # fmt: skip
    for n in range(4):
        space |= {f"cnn{n}": tune.lograndint(4, 65), f"mlp{n}": tune.lograndint(8, 129)}
    enough = Enough()
    tuner = tune.Tuner(
        tune.with_parameters(train, data=data, logits=logits),
        param_space=space,
        tune_config=tune.TuneConfig(
            search_alg=OptunaSearch(metric=["accuracy", "size"], mode=["max", "min"],
                                    seed=int(seed)),
            scheduler=ASHAScheduler(metric="accuracy", mode="max", max_t=int(epochs),
                                    grace_period=max(1, int(epochs) // 9), reduction_factor=3),
            num_samples=1000, max_concurrent_trials=2,
        ),
        run_config=tune.RunConfig(stop=enough, verbose=0),
    )  # fmt: skip
    results = tuner.fit()
    wall = time.time() - began
    frames = [r.metrics for r in results if r.metrics and "size" in r.metrics]
    fitting = [f for f in frames if f["size"] <= int(budget)][: int(students)]
    points = [[f["at"] - began, f["accuracy"], f["size"]] for f in fitting
              if f["training_iteration"] == int(epochs)]  # fmt: skip
    Path(out).write_text(json.dumps({
        "points": sorted(points), "wasted": sum(f["size"] > int(budget) for f in frames),
        "epochs": sum(f["training_iteration"] for f in fitting), "began": began, "wall": wall,
    }))  # fmt: skip


main()
