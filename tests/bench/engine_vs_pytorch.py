#!/usr/bin/env python3
"""Samples per CPU-second of one DS-CNN training step: niwaki's engine against PyTorch, one thread each.

A step is forward, backward and Adam on a batch of 100 inputs of 49x10x1: convolution 64 10x4 stride 2, four blocks of
depthwise 3x3 and pointwise 64, batch norm and ReLU after each, global average pooling, dense 12 (the zoo's ds-cnn).
Rounds alternate between the engines, so that a busy machine disturbs all of them alike; time is CPU time of the process.

    python3 tests/bench/engine_vs_pytorch.py [--rounds 15] [--steps 10] [--json]

Needs PyTorch; nothing is installed here:  pip install torch --index-url https://download.pytorch.org/whl/cpu
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
try:
    import torch
except ImportError:
    sys.exit(
        "skipped: PyTorch is not installed (pip install torch --index-url https://download.pytorch.org/whl/cpu)"
    )
from torch import nn

BATCH, INPUT, CLASSES, FILTERS = 100, (49, 10), 12, 64
ROOT = pathlib.Path(__file__).resolve().parents[2]


def ds_cnn():
    """The zoo's ds-cnn; TensorFlow's SAME padding of the first layer is (4, 5) rows and (1, 1) columns."""

    def norm():
        return [nn.BatchNorm2d(FILTERS, eps=1e-3, momentum=0.1), nn.ReLU(inplace=True)]

    layers = [nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, FILTERS, (10, 4), 2, bias=False), *norm()]
    for _ in range(4):
        layers += [nn.Conv2d(FILTERS, FILTERS, 3, padding=1, groups=FILTERS, bias=False), *norm()]
        layers += [nn.Conv2d(FILTERS, FILTERS, 1, bias=False), *norm()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(FILTERS, CLASSES))


class PyTorch:
    def __init__(self, memory_format):
        torch.manual_seed(1)
        self.net = ds_cnn().to(memory_format=memory_format).train()
        self.x = torch.randn(BATCH, 1, *INPUT).to(memory_format=memory_format)
        self.labels = torch.arange(BATCH) % CLASSES
        self.adam = torch.optim.Adam(self.net.parameters())

    def step(self):
        self.adam.zero_grad()
        nn.functional.cross_entropy(self.net(self.x), self.labels).backward()
        self.adam.step()

    def round(self, steps):
        start = time.process_time()
        for _ in range(steps):
            self.step()
        return steps * BATCH / (time.process_time() - start)


class Niwaki:
    """The example `engine_step` as a child: one line in, one round, one line of JSON out."""

    def __init__(self, steps):
        build = ["cargo", "build", "--release", "-p", "niwaki", "--example", "engine_step", "--message-format=json"]
        lines = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        built = [m.get("executable") for m in map(json.loads, lines) if m.get("target", {}).get("name") == "engine_step"]
        command = [built[-1], "-", str(steps)]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def round(self, _steps):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        return json.loads(self.child.stdout.readline())["samples_per_cpu_second"]

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout and nothing else")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    niwaki = Niwaki(arguments.steps)
    engines = {
        "niwaki": niwaki,
        "pytorch channels_last": PyTorch(torch.channels_last),
        "pytorch NCHW": PyTorch(torch.contiguous_format),
    }
    rates = {name: [] for name in engines}
    for engine in engines.values():
        engine.round(2 if engine is not niwaki else None)
    for _ in range(arguments.rounds):
        for name, engine in engines.items():
            rates[name].append(engine.round(arguments.steps))
    niwaki.close()

    medians = {name: statistics.median(values) for name, values in rates.items()}
    ratio = medians["niwaki"] / max(medians["pytorch channels_last"], medians["pytorch NCHW"])
    if arguments.json:
        print(json.dumps({"torch": torch.__version__, "samples_per_cpu_second": rates, "ratio": ratio}))
        return
    print(f"torch {torch.__version__}, {arguments.rounds} rounds of {arguments.steps} steps, one thread")
    print(f"{'samples per CPU-second':<24}{'median':>8}{'min':>8}{'max':>8}")
    for name, values in rates.items():
        print(f"{name:<24}{medians[name]:8.0f}{min(values):8.0f}{max(values):8.0f}")
    print(f"niwaki is {ratio:.2f} times as fast as the faster of the two")


if __name__ == "__main__":
    main()
