"""Writes the golden files of tests/goldens/tflm: models of one operator and TensorFlow Lite Micro's answers.

    python3 tests/oracle/make.py [--seed 1] [NAME...]

needs numpy, flatbuffers and tflite-micro from PyPI. A golden file is one operator in one type, in the format of
safetensors: `K.tflite` is model K, `K.outputs` [samples, elements] what it answers, all outputs of a run in one row.
Inputs are not stored: `K.seed` and `K.span` among the metadata make them again (inputs.py), input I from seed + I.
What the oracle does not support stands in the certificate with the oracle's own words.
"""

import argparse
import datetime
import hashlib
import importlib.metadata
import json
import os
import sys
import tempfile
import zlib
from pathlib import Path

import elementwise
import movement
import numpy as np
import weighted
import windows
from inputs import EXTREMES, samples
from kinds import INT4, INT8, INT16
from tflite_micro.python.tflite_micro import runtime

GOLDENS = Path(__file__).resolve().parent.parent / "goldens" / "tflm"
# Elements of outputs to random inputs, for each operator and type; those to extreme inputs come on top.
ELEMENTS = 20_000
MODELS = 8

BOTH, ALL = [INT8, INT16], [INT8, INT16, INT4]
OPERATORS = [
    ("conv_2d", weighted.conv_2d, ALL),
    ("depthwise_conv_2d", weighted.depthwise_conv_2d, ALL),
    ("transpose_conv", weighted.transpose_conv, ALL),
    ("fully_connected_per_tensor", weighted.fully_connected_per_tensor, ALL),
    ("fully_connected_per_channel", weighted.fully_connected_per_channel, ALL),
    ("add", elementwise.add, BOTH),
    ("sub", elementwise.sub, BOTH),
    ("mul", elementwise.mul, BOTH),
    ("average_pool_2d", windows.average_pool_2d, BOTH),
    ("max_pool_2d", windows.max_pool_2d, BOTH),
    ("mean", windows.mean, BOTH),
    ("sum", windows.sum_, BOTH),
    ("softmax", elementwise.softmax, BOTH),
    ("logistic", elementwise.logistic, BOTH),
    ("tanh", elementwise.tanh, BOTH),
    ("relu", elementwise.relu, BOTH),
    ("relu6", elementwise.relu6, BOTH),
    ("relu_n1_to_1", elementwise.relu_n1_to_1, [INT8]),
    ("leaky_relu", elementwise.leaky_relu, BOTH),
    ("prelu", elementwise.prelu, BOTH),
    ("hard_swish", elementwise.hard_swish, BOTH),
    ("pad", movement.pad, BOTH),
    ("padv2", movement.padv2, BOTH),
    ("concatenation", movement.concatenation, BOTH),
    ("split", movement.split, BOTH),
    ("slice", movement.slice_, BOTH),
    ("strided_slice", movement.strided_slice, BOTH),
    ("reshape", movement.reshape, BOTH),
    ("squeeze", movement.squeeze, BOTH),
    ("expand_dims", movement.expand_dims, BOTH),
    ("transpose", movement.transpose, BOTH),
    ("resize_nearest_neighbor", windows.resize_nearest_neighbor, BOTH),
    ("resize_bilinear", windows.resize_bilinear, BOTH),
    ("arg_max", windows.arg_max, BOTH),
    ("quantize_float32", elementwise.quantize("float32", "int8"), [INT8]),
    ("quantize_float32", elementwise.quantize("float32", "int16"), [INT16]),
    ("quantize_int8", elementwise.quantize("int8", "int8"), [INT8]),
    ("quantize_int8", elementwise.quantize("int8", "int16"), [INT16]),
    ("quantize_int16", elementwise.quantize("int16", "int8"), [INT8]),
    ("quantize_int16", elementwise.quantize("int16", "int16"), [INT16]),
    ("dequantize", elementwise.dequantize("int8"), [INT8]),
    ("dequantize", elementwise.dequantize("int16"), [INT16]),
]


class Refused(Exception):
    """The oracle does not run a model; its own words."""


def complaint(run):
    """What `run` returns, or `Refused` with what the oracle wrote to the error stream."""
    with tempfile.TemporaryFile() as file:
        kept = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            return run()
        except (RuntimeError, ValueError) as error:
            file.seek(0)
            lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
            raise Refused(lines[0] if lines else str(error)) from error
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def answers(model, inputs):
    """The outputs [samples, elements] of a model to `inputs`, a list of arrays [samples, ...]."""

    def run():
        interpreter = runtime.Interpreter.from_bytes(model, arena_size=1 << 20)
        rows = []
        for sample in zip(*inputs):
            for index, values in enumerate(sample):
                interpreter.set_input(values, index)
            interpreter.invoke()
            count = len(outputs_of(model))
            rows.append(np.concatenate([interpreter.get_output(index).ravel() for index in range(count)]))
        return np.stack(rows)

    return complaint(run)


def outputs_of(model):
    """The indices of a model's output tensors."""
    return runtime.convert_bytearray_to_object(model).subgraphs[0].outputs


def safetensors(tensors, metadata):
    """The bytes of a file in the format of safetensors."""
    names = {"uint8": "U8", "int8": "I8", "int16": "I16", "int32": "I32", "float32": "F32"}
    header, blobs, at = {"__metadata__": metadata}, [], 0
    for name, values in tensors.items():
        blob = np.ascontiguousarray(values).tobytes()
        header[name] = {
            "dtype": names[values.dtype.name], "shape": list(values.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(blobs)


def golden(name, make, kind, seed):
    """The golden file of an operator in a type, and the number of its elements from random inputs."""
    tensors, metadata, elements = {}, {"models": str(MODELS)}, 0
    for k in range(MODELS):
        rng = np.random.default_rng([seed, zlib.crc32(f"{name}.{kind.name}".encode()), k])
        network = make(rng, kind, k)
        model = network.bytes()
        stream = int(rng.integers(1, 1 << 40))

        def inputs(count):
            described = enumerate(zip(network.input_shapes, network.input_types))
            return [samples(stream + i, count, shape, dtype, network.span) for i, (shape, dtype) in described]

        each = answers(model, inputs(EXTREMES)).shape[1]
        # What is still missing, shared out over the models to come.
        wanted = -(-(ELEMENTS - elements) // (MODELS - k))
        count = EXTREMES + max(1, -(-wanted // each))
        outputs = answers(model, inputs(count))
        elements += (count - EXTREMES) * each
        tensors[f"{k}.tflite"] = np.frombuffer(model, np.uint8)
        tensors[f"{k}.outputs"] = outputs
        metadata[f"{k}.seed"], metadata[f"{k}.span"] = str(stream), repr(float(network.span))
        codes = np.unique(outputs).size
        print(f"  {k}: {len(model)} bytes, {count} samples of {each}, {codes} values", file=sys.stderr)
    assert elements >= ELEMENTS
    return safetensors(tensors, metadata), elements


def main():
    """Writes the files and the certificate."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("names", nargs="*", help="only these operators, and no certificate")
    arguments = parser.parse_args()
    GOLDENS.mkdir(parents=True, exist_ok=True)
    version = importlib.metadata.version
    certificate = [
        "# Birth certificate of the golden files beside it; tests/oracle/make.py writes both.",
        f'command = "python3 tests/oracle/make.py --seed {arguments.seed}"',
        f"seed = {arguments.seed}",
        f'oracle = "tflite-micro {version("tflite-micro")} (PyPI, x86-64)"',
        f'written_with = "numpy {np.__version__}, flatbuffers {version("flatbuffers")}"',
        f'date = "{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d}"',
        f'inputs = "{EXTREMES} extreme inputs a model, then random ones: tests/oracle/inputs.py"',
    ]
    for name, make, kinds in OPERATORS:
        for kind in kinds:
            if arguments.names and name not in arguments.names:
                continue
            print(f"{name} {kind.name}", file=sys.stderr)
            try:
                content, elements = golden(name, make, kind, arguments.seed)
            except Refused as refused:
                print(f"  left out: {refused}", file=sys.stderr)
                certificate += [
                    "", "[[left_out]]", f'operator = "{name}"', f'type = "{kind.name}"',
                    f"message = {json.dumps(str(refused))}"]
                continue
            path = GOLDENS / f"{name}.{kind.name}.safetensors"
            path.write_bytes(content)
            certificate += [
                "", "[[golden]]", f'file = "{path.name}"', f'operator = "{name}"', f'type = "{kind.name}"',
                f"random_elements = {elements}", f'sha256 = "{hashlib.sha256(content).hexdigest()}"']
    if not arguments.names:
        (GOLDENS / "CERTIFICATE.toml").write_text("\n".join(certificate) + "\n")


if __name__ == "__main__":
    main()
