"""Digests of everything that niwaki exports, trains and prints as JSON: run it before and after a change that may move no byte.

    cargo build --release && cargo build --release -p niwaki-tests --bin digests
    python3 tests/bench/digests.py --out before.sha256 [--quick]
    …
    python3 tests/bench/digests.py --out after.sha256 && diff before.sha256 after.sha256

Sorted lines `sha256  name`: a name says what was done, `refused` that the command failed and the line has its message. Seconds are
left out. `--shared` is a folder with `models` (.tflite files) and `data/planetoid`; what is absent there is skipped and said so.
Where the binary of the tests is not built, the models of the tests are skipped and said so. `--quick` leaves out training.
"""
import argparse, concurrent.futures, hashlib, json, math, os, pathlib, random, re, struct, subprocess, sys, tempfile, time

ROOT = pathlib.Path(__file__).resolve().parents[2]
RECIPES = ROOT / "host/recipes"
WORKERS = os.cpu_count() or 1
# Models with limits of their own: flash, RAM, instructions. Some are kept and some refused.
LIMITED = ["kws_ref_model", "pretrainedResnet_quant", "vww_96_int8", "ad01_int8", "micro_speech_quantized"]
LIMITS = [("flash", "70K"), ("flash", "290K"), ("ram", "10K"), ("ram", "60K")]
LIMITS += [("instructions", "350000"), ("instructions", "9000000")]
CHIPS = ["cortex-m3", "cortex-m7", "cortex-m33", "cortex-m55"]
FLOATS = ["hello_world_float", "pretrainedResnet"]
COMPRESSIONS = {
    "int8": ["--quantize", "int8"],
    "int4": ["--quantize", "int4"],
    "codebook": ["--quantize", "codebook"],
    "int8 kl equalized": ["--quantize", "int8", "--set", "quantize.calibration=kl", "--set", "quantize.equalize=true"],
    "int4 corrected": ["--quantize", "int4", "--set", "quantize.bias_correction=true", "--set", "quantize.weight_calibration=mse"],
}
DENSE, DIGITS, KARATE = "digits-small-cnn-dense", "digits-small-cnn-wgsef", "karate-gcn-teddy"
SHORT = ["train.epochs=2", "sparsity.ramp_epochs=2", "sparsity.finetune_epochs=1"]
ONCE = ["train.epochs=1", "sparsity.ramp_epochs=1", "sparsity.finetune_epochs=1"]
QAT = ["train.epochs=2", "quantize.qat_epochs=2"]
CORRECTED = ["quantize.equalize=true", "quantize.bias_correction=true"]
NODES = ["train.epochs=15", "graph.hidden=16"]
# Runs by name: a recipe and what is set in it.
RUNS = {
    "digits": (DENSE, ["train.epochs=3"]),
    "digits wgsef": (DIGITS, SHORT),
    "digits wgsef adam metric": (DIGITS, SHORT + ["sparsity.metric=adam", "sparsity.budget={ macs = 0.4 }", "sparsity.multiple=4"]),
    "digits hspg": (DIGITS, SHORT + ["sparsity.method=hspg", "sparsity.half_space_epochs=1", "sparsity.distill=0.5"]),
    "digits global": (DIGITS, SHORT + ["sparsity.method=magnitude", "sparsity.allocation=global", "sparsity.budget={ bytes = 0.5 }"]),
    "digits sgd": (DENSE, ["train.epochs=2", "optimizer.name=sgd", "optimizer.lr=0.05", "train.flip=true"]),
    "digits qat int8": (DENSE, QAT + ["quantize.lsq=true", "quantize.qat_distill=0.5"]),
    "digits qat int4": (DENSE, QAT + ["quantize.weights=int4", "quantize.ends=int8"]),
    "digits qat pruned": (DIGITS, SHORT + ["quantize.qat_epochs=1"]),
    "digits codebook": (DIGITS, SHORT + ["quantize.weights=codebook", "quantize.granularity=tensor"]),
    "digits fit": (DENSE, ["train.epochs=1", "quantize.fit=true", "target.flash=30K"]),
    "digits small": (DENSE, ["train.epochs=1", "target.least=flash", "target.chip=cortex-m33"]),
    "digits reconstructed": (DENSE, ["train.epochs=1", "quantize.weights=int4", "quantize.reconstruct=20"]),
    **{
        f"digits {m}": (DIGITS, SHORT + [f"sparsity.method={m}"])
        for m in ("magnitude", "group-lasso", "sap", "rigl", "set", "rate-distortion")
    },
    **{
        f"digits groups {g}": (DIGITS, SHORT + [f"sparsity.groups={g}"])
        for g in ("weight", "input-channel", "filter-shape", "kernel-row", "kernel-column", "block")
    },
    **{
        f"digits calibration {c}": (DENSE, ["train.epochs=1", f"quantize.calibration={c}", *CORRECTED])
        for c in ("minmax", "moving-average", "percentile", "kl")
    },
    "digits layers": (DIGITS, SHORT + ["model.zoo=tiny-resnet", "sparsity.groups=layer", "sparsity.keep=0.5"]),
    "digits tiny-resnet": (DIGITS, SHORT + ["model.zoo=tiny-resnet"]),
    "digits ds-cnn-image qat": (DIGITS, ONCE + ["model.zoo=ds-cnn-image", "quantize.qat_epochs=1", "train.batch=64"]),
    "karate": (KARATE, ["train.epochs=40"]),
    "karate choosing": (KARATE, ["train.epochs=40", "graph.choose_edges=true"]),
    "karate direction": (KARATE, ["train.epochs=20", "graph.unit=direction", "graph.layers=3"]),
    **{
        f"karate {m}": (KARATE, ["train.epochs=20", f"graph.method={m}"])
        for m in ("none", "random-edges", "inverted", "magnitude", "ugs")
    },
    **{f"karate {z}": (KARATE, ["train.epochs=20", f"model.zoo={z}"]) for z in ("gin", "gat", "sage")},
    "cora gcn": ("cora-gcn-teddy", NODES),
    "cora gcn small": ("cora-gcn-teddy", NODES + ["target.ram=48K", "target.least=flash"]),
    "cora gcn choosing": ("cora-gcn-teddy", NODES + ["graph.choose_edges=true"]),
    "cora gat": ("cora-gat-teddy", NODES),
    "cora sage": ("cora-gcn-dense", NODES + ["model.zoo=sage"]),
    "citeseer gin": ("citeseer-gin-teddy", NODES),
}


def npy(path, shape, seed):
    """Writes floats in -0.5..0.5, the same for the same seed."""
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({', '.join(map(str, shape))},), }}"
    header = header.ljust((len(header) + 74) // 64 * 64 - 11) + "\n"
    generator = random.Random(seed)
    values = [generator.random() - 0.5 for _ in range(math.prod(shape))]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + struct.pack(f"<{len(values)}f", *values))


def timeless(value):
    """JSON without what a clock said."""
    if isinstance(value, dict):
        return {key: timeless(inner) for key, inner in value.items() if "seconds" not in key}
    return [timeless(inner) for inner in value] if isinstance(value, list) else value


def content(path):
    """The bytes of a file of a run, without seconds."""
    data = path.read_bytes()
    if path.name == "metrics.jsonl":
        return "\n".join(json.dumps(timeless(json.loads(line))) for line in data.decode().splitlines()).encode()
    if path.name == "report.html":
        return re.sub(rb"[0-9][0-9.,]* (min|s|ms|h)\b", b"TIME", data)
    if path.suffix == ".json" and path.name != "model.plan.json":
        return json.dumps(timeless(json.loads(data))).encode()
    if path.name == "checkpoint.safetensors":
        end = 8 + struct.unpack("<Q", data[:8])[0]
        header = json.loads(data[8:end])
        progress = json.loads(header["__metadata__"].pop("progress"))
        return json.dumps([header, timeless(progress)]).encode() + data[end:]
    return data


class Digests:
    def __init__(self, niwaki, folder, shared):
        self.niwaki, self.folder, self.shared, self.lines = niwaki, folder, shared, []
        self.environment = {**os.environ, "NIWAKI_DATA": str(folder / "data"), "NIWAKI_NO_INSTALL": "1"}

    def line(self, name, data):
        self.lines.append(f"{hashlib.sha256(data).hexdigest()}  {name}\n")

    def run(self, name, *command):
        """Runs niwaki in the folder, with paths relative to it; whether it succeeded. Its JSON, or its refusal, is a line."""
        command = list(map(str, command))
        done = subprocess.run([self.niwaki, *command], cwd=self.folder, env=self.environment, capture_output=True)
        if done.returncode:
            error = done.stderr[done.stderr.rfind(b"error: ") :]
            for place in (self.folder, self.shared, self.shared.resolve()):
                error = error.replace(os.fsencode(place), b"")
            self.line(f"{name} refused", b"%d %s" % (done.returncode, error))
            return False
        if "--json" in command:
            self.line(f"{name} --json", json.dumps(timeless(json.loads(done.stdout))).encode())
        return True

    def files(self, name, folder):
        for path in sorted((self.folder / folder).rglob("*")):
            if path.is_file():
                self.line(f"{name}/{path.relative_to(self.folder / folder)}", content(path))

    def imported(self, model, name, target, *options):
        """A .tflite file for `target`; the folder of the model file."""
        label = f"import {name} {' '.join([target, *options])}"
        out = pathlib.Path(label.replace("/", "_").replace(" ", "_"))
        (self.folder / out).mkdir()
        if self.run(label, "import", model, "-o", out / "model.niwaki", "--target", target, *options, "--json"):
            self.files(label, out)
        return out / "model.niwaki"

    def model(self, path, quick):
        """Everything about one .tflite file."""
        name = str(path.relative_to("models").with_suffix(""))
        self.imported(path, name, "portable")
        packed = self.imported(path, name, "cortex-m4")
        self.imported(path, name, "cortex-m4", "--small")
        if name in LIMITED:
            for limit, value in LIMITS:
                self.imported(path, name, "cortex-m4", f"--{limit}", value)
        if name in LIMITED and not quick:
            for chip in CHIPS:
                self.imported(path, name, chip)
        self.run(f"inspect {name}", "inspect", path, "--json")
        if not (self.folder / packed).exists():
            return
        self.run(f"inspect {name} cortex-m4", "inspect", packed, "--json")
        module = packed.parent / "module"
        if self.run(f"export {name}", "export", packed, "--rust", module, "--json"):
            self.files(f"export {name}", module)
        for number in ("", "0"):
            arrays = path.with_suffix(f".in{number}.npy")
            if (self.folder / arrays).exists():
                output = packed.parent / "output.npy"
                if self.run(f"run {name}", "run", path, "--input", arrays, "--output", output, "--json"):
                    self.line(f"run {name} output", (self.folder / output).read_bytes())

    def compressed(self, name):
        """A float .tflite file, quantised by inputs of a generator."""
        path = pathlib.Path("models", f"{name}.tflite")
        inspected = subprocess.run([self.niwaki, "inspect", path, "--json"], cwd=self.folder, capture_output=True)
        if inspected.returncode:
            return self.line(f"compress {name} refused", b"it cannot be inspected")
        inputs = self.folder / "inputs" / name
        for k in range(2):
            npy(inputs / f"{k}.npy", [4, *json.loads(inspected.stdout)["inputs"][0]["shape"]], 1000 + k)
        for label, options in COMPRESSIONS.items():
            label = f"compress {name} {label}"
            out = label.replace("/", "_").replace(" ", "_")
            if self.run(label, "compress", path, *options, "--data", f"inputs/{name}", "--out", out, "--json"):
                self.files(label, out)

    def trained(self, name):
        """A run, by one thread."""
        recipe, sets = RUNS[name]
        out = pathlib.Path("runs", name.replace(" ", "-"))
        options = [word for value in sets for word in ("--set", value)]
        where = ["--out", out, "--threads", 1, "--device", "cpu", "--json"]
        (self.folder / "runs").mkdir(exist_ok=True)
        self.run(f"train {name}", "train", RECIPES / f"{recipe}.toml", *options, *where)
        self.files(f"train {name}", out)
        model = out / "model.niwaki"
        if not (self.folder / model).exists():
            return
        self.run(f"inspect {name}", "inspect", model, "--json")
        if name.startswith("digits"):
            self.run(f"eval {name}", "eval", model, "--data", "digits", "--json")
        if name == "digits":
            for method, budget in (("magnitude", "macs=0.5"), ("rate-distortion", "bytes=0.4")):
                label, smaller = f"compress run {method}", f"runs/smaller-{method}"
                where[1] = smaller
                sets = ["--set", "sparsity.ramp_epochs=1", "--set", "sparsity.finetune_epochs=1"]
                self.run(label, "compress", out, "--method", method, "--budget", budget, *sets, *where)
                self.files(label, smaller)


def jobs(digests, quick):
    """What can be done side by side, each as a call without arguments; the longest first."""
    folder, found = digests.folder, []
    graphs = set()
    for name in ("cora", "citeseer"):
        place = digests.shared / "data/planetoid" / name
        if place.is_dir() and not quick:
            digests.run(f"data get {name}", "data", "get", name, "--from", place)
            graphs.add(name)
    if not quick:
        for name in reversed(RUNS):
            if name.split()[0] in {"digits", "karate"} | graphs:
                found.append((f"train {name}", lambda name=name: digests.trained(name)))
            else:
                print(f"skipped: {name}: no data in {digests.shared}", file=sys.stderr)
    if (digests.shared / "models").is_dir():
        (folder / "models").symlink_to(digests.shared.resolve() / "models")
        paths = sorted((folder / "models").resolve().rglob("*.tflite"), key=lambda path: -path.stat().st_size)
        root = (folder / "models").resolve()
        for name in FLOATS[: 1 if quick else None]:
            found.append((f"compress {name}", lambda name=name: digests.compressed(name)))
        for path in paths:
            path = pathlib.Path("models", path.relative_to(root))
            found.append((f"model {path}", lambda path=path: digests.model(path, quick)))
    else:
        print(f"skipped: no models in {digests.shared}", file=sys.stderr)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--niwaki", type=pathlib.Path, default=ROOT / "target/release/niwaki", help="the binary")
    parser.add_argument("--tests", type=pathlib.Path, help="that of the tests' models [default: digests beside it]")
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared", help="models and data")
    parser.add_argument("--out", type=pathlib.Path, help="where the lines go [default: standard output]")
    parser.add_argument("--quick", action="store_true", help="no training, fewer chips")
    parser.add_argument("--times", action="store_true", help="print the seconds of each job to standard error")
    arguments = parser.parse_args()
    niwaki = arguments.niwaki.resolve()
    tests = arguments.tests or niwaki.with_name("digests")
    with tempfile.TemporaryDirectory(prefix="niwaki-digests-") as folder:
        digests = Digests(niwaki, pathlib.Path(folder), arguments.shared)

        def of_tests():
            done = subprocess.run([tests], check=True, capture_output=True, text=True)
            digests.lines += done.stdout.splitlines(keepends=True)

        def timed(job):
            start = time.time()
            job[1]()
            if arguments.times:
                print(f"{time.time() - start:7.1f} s  {job[0]}", file=sys.stderr)

        work = jobs(digests, arguments.quick)
        if tests.is_file():
            work.insert(0, ("models of the tests", of_tests))
        else:
            print(f"skipped: {tests} is not built: cargo build --release -p niwaki-tests --bin digests", file=sys.stderr)
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(timed, work))
        text = "".join(sorted(digests.lines, key=lambda line: line.split("  ", 1)[1]))
    names = [line.split("  ", 1)[1] for line in text.splitlines()]
    if len(set(names)) < len(names):
        sys.exit(f"two lines have one name: {sorted(name for name in set(names) if names.count(name) > 1)[:5]}")
    arguments.out.write_text(text) if arguments.out else sys.stdout.write(text)
    print(f"{len(names)} digests", file=sys.stderr)


if __name__ == "__main__":
    main()
