#!/usr/bin/env python3
"""Samples per CPU-second of one training step: niwaki's engine against PyTorch, one thread each.

A step is forward, backward and Adam on one batch. The networks are those of the zoo, layer by layer; that both sides
have the same number of parameters is checked. By default that is the DS-CNN of keyword spotting, 100 inputs of 49x10x1
and Adam; the others take 128 inputs of 28x28x1 and AdamW, as the recipes for Fashion-MNIST do, and what an epoch of its
55,000 training samples costs is shown too. Rounds alternate between the engines, so that a busy machine disturbs all of
them alike; time is CPU time of the process. A second niwaki takes a proximal step of WGSEF too, as the sparse recipes
do: what that costs is shown as a percentage of the plain step.

    python3 tests/bench/engine_vs_pytorch.py [--network NAME]... [--rounds 15] [--steps 10] [--json]

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

EPOCH = 55_000
ROOT = pathlib.Path(__file__).resolve().parents[2]


def conv(channels, filters, kernel, stride=1, groups=1, relu=True):
    """Convolution with batch norm. With stride 2 the zoo pads one side more, PyTorch both alike: the same work."""
    layers = [nn.Conv2d(channels, filters, kernel, stride, kernel // 2, groups=groups, bias=False), norm(filters)]
    return layers + [nn.ReLU(inplace=True)] if relu else layers


def norm(filters):
    return nn.BatchNorm2d(filters, eps=1e-3, momentum=0.1)


def separable(channels, filters, stride=1):
    return [*conv(channels, channels, 3, stride, groups=channels), *conv(channels, filters, 1)]


def classifier(filters, classes):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(filters, classes)]


class Residual(nn.Module):
    def __init__(self, channels, filters, stride):
        super().__init__()
        self.body = nn.Sequential(*conv(channels, filters, 3, stride), *conv(filters, filters, 3, relu=False))
        self.skip = nn.Identity() if stride == 1 else nn.Conv2d(channels, filters, 1, stride)

    def forward(self, x):
        return nn.functional.relu(self.skip(x) + self.body(x), inplace=True)


def ds_cnn(classes):
    """TensorFlow's SAME padding of the first layer is (4, 5) rows and (1, 1) columns."""
    stem = [nn.ZeroPad2d((1, 1, 4, 5)), nn.Conv2d(1, 64, (10, 4), 2, bias=False), norm(64), nn.ReLU(inplace=True)]
    blocks = [layer for _ in range(4) for layer in separable(64, 64)]
    return nn.Sequential(*stem, *blocks, *classifier(64, classes))


def ds_cnn_image(classes):
    blocks = [*separable(32, 64), *separable(64, 128, 2), *separable(128, 128)]
    return nn.Sequential(*conv(1, 32, 3, 2), *blocks, *classifier(128, classes))


def compact_cnn(classes):
    layers = [*conv(1, 16, 5, 2), *conv(16, 32, 3, 2), *conv(32, 48, 3), *conv(48, 64, 3, 2)]
    return nn.Sequential(*layers, *classifier(64, classes))


def resnet_8(classes):
    blocks = [Residual(16, 16, 1), Residual(16, 32, 2), Residual(32, 64, 2)]
    return nn.Sequential(*conv(1, 16, 3), *blocks, *classifier(64, classes))


class Fashion:
    input, classes, batch, epoch = (28, 28), 10, 128, EPOCH

    @staticmethod
    def optimizer(parameters):
        return torch.optim.AdamW(parameters, weight_decay=0.01)


class Keywords:
    input, classes, batch, epoch = (49, 10), 12, 100, None
    optimizer = torch.optim.Adam


NETWORKS = {
    "ds-cnn": (ds_cnn, Keywords),
    "compact-cnn": (compact_cnn, Fashion),
    "ds-cnn-image": (ds_cnn_image, Fashion),
    "resnet-8": (resnet_8, Fashion),
}


class PyTorch:
    def __init__(self, build, task, memory_format):
        torch.manual_seed(1)
        self.net = build(task.classes).to(memory_format=memory_format).train()
        self.parameters = sum(p.numel() for p in self.net.parameters())
        self.x = torch.randn(task.batch, 1, *task.input).to(memory_format=memory_format)
        self.labels = torch.arange(task.batch) % task.classes
        self.optimizer = task.optimizer(self.net.parameters())

    def step(self):
        self.optimizer.zero_grad()
        nn.functional.cross_entropy(self.net(self.x), self.labels).backward()
        self.optimizer.step()

    def round(self, steps):
        start = time.process_time()
        for _ in range(steps):
            self.step()
        return steps * len(self.labels) / (time.process_time() - start)


class Niwaki:
    """The example `engine_step` as a child: one line in, one round, one line of JSON out."""

    def __init__(self, program, network, steps, *method):
        command = [program, "-", str(steps), network, *method]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    @staticmethod
    def build():
        build = ["cargo", "build", "--release", "-p", "niwaki", "--example", "engine_step", "--message-format=json"]
        lines = subprocess.run(build, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
        built = [m.get("executable") for m in map(json.loads, lines) if m.get("target", {}).get("name") == "engine_step"]
        return built[-1]

    def round(self, _steps):
        self.child.stdin.write("\n")
        self.child.stdin.flush()
        answer = json.loads(self.child.stdout.readline())
        self.parameters = answer["parameters"]
        return answer["samples_per_cpu_second"]

    def close(self):
        self.child.stdin.close()
        self.child.wait()


def compare(program, network, rounds, steps):
    """Samples per CPU-second of each round, by engine."""
    build, task = NETWORKS[network]
    engines = {
        "niwaki": Niwaki(program, network, steps),
        "niwaki with WGSEF": Niwaki(program, network, steps, "wgsef"),
        "pytorch channels_last": PyTorch(build, task, torch.channels_last),
        "pytorch NCHW": PyTorch(build, task, torch.contiguous_format),
    }
    rates = {name: [] for name in engines}
    for engine in engines.values():
        engine.round(2)
    sizes = {name: engine.parameters for name, engine in engines.items()}
    if len(set(sizes.values())) > 1:
        sys.exit(f"{network}: not the same network, parameters are {sizes}")
    for _ in range(rounds):
        for name, engine in engines.items():
            rates[name].append(engine.round(steps))
    for name in ("niwaki", "niwaki with WGSEF"):
        engines[name].close()
    return rates


def overhead(rates):
    """What a step with WGSEF takes longer than the plain one of the same round, in percent: median, least, most."""
    each = [100 * (plain / sparse - 1) for plain, sparse in zip(rates["niwaki"], rates["niwaki with WGSEF"])]
    return statistics.median(each), min(each), max(each)


def show(network, rates, ratio):
    build, task = NETWORKS[network]
    print(f"\n{network}: {task.batch} inputs of {task.input[0]}x{task.input[1]}x1 a step")
    per_epoch = f"{'CPU-seconds per epoch':>30}{'min':>8}{'max':>8}" if task.epoch else ""
    print(f"{'samples per CPU-second':<24}{'median':>8}{'min':>8}{'max':>8}{per_epoch}")
    for name, values in rates.items():
        row = f"{name:<24}{statistics.median(values):8.0f}{min(values):8.0f}{max(values):8.0f}"
        if task.epoch:
            seconds = [task.epoch / rate for rate in values]
            row += f"{statistics.median(seconds):30.1f}{min(seconds):8.1f}{max(seconds):8.1f}"
        print(row)
    print(f"niwaki is {ratio:.2f} times as fast as the faster of the two")
    print("WGSEF costs {:.1f} % of a plain step ({:.1f} to {:.1f})".format(*overhead(rates)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", action="append", choices=NETWORKS, help="may be given more than once")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--json", action="store_true", help="one JSON object a network on stdout and nothing else")
    arguments = parser.parse_args()

    torch.set_num_threads(1)
    program = Niwaki.build()
    if not arguments.json:
        print(f"torch {torch.__version__}, {arguments.rounds} rounds of {arguments.steps} steps, one thread")
    for network in arguments.network or ["ds-cnn"]:
        rates = compare(program, network, arguments.rounds, arguments.steps)
        medians = {name: statistics.median(values) for name, values in rates.items()}
        ratio = medians["niwaki"] / max(medians["pytorch channels_last"], medians["pytorch NCHW"])
        if arguments.json:
            row = {"network": network, "torch": torch.__version__, "samples_per_cpu_second": rates, "ratio": ratio}
            row["wgsef_overhead_percent"] = overhead(rates)[0]
            print(json.dumps(row))
        else:
            show(network, rates, ratio)


if __name__ == "__main__":
    main()
