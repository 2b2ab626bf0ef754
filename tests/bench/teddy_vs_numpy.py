"""TEDDY on Cora, niwaki beside a numpy/scipy program, one after the other in one run on the same cores.

    cargo build --release -p niwaki-tests --bin graph
    python3 tests/bench/teddy_vs_numpy.py --oracle PROGRAM.py --dir FOLDER_OF_CORA [--repeats 1]

Both train a dense GCN (512 hidden channels, 200 epochs) and one sparse one at level 20 (200 epochs). PROGRAM.py takes
`cora GCN --seeds 1 --levels 20 --methods teddy --lambs 10`. Printed are wall-clock and CPU seconds of both processes and
their ratios; on a machine with other work, the ratio of CPU seconds is the one to read.
"""
import argparse, json, os, resource, subprocess, sys, time

HERE = os.path.dirname(os.path.abspath(__file__))


def timed(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.time()
    done = subprocess.run(command, capture_output=True, text=True)
    wall = time.time() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: {done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--oracle", required=True, help="the numpy program")
    parser.add_argument("--dir", required=True, help="the folder with Cora's arrays")
    parser.add_argument("--binary", default=os.path.join(HERE, "../../target/release/graph"))
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    ours = [arguments.binary, "run", "--data", "cora", "--dir", arguments.dir, "--level", "20", "--lambda", "10"]
    theirs = [sys.executable, arguments.oracle, "cora", "GCN", "--seeds", "1", "--levels", "20", "--methods", "teddy", "--lambs", "10"]
    print(f"{'':>8} {'wall s':>9} {'CPU s':>9}  accuracy dense / TEDDY")
    for _ in range(arguments.repeats):
        wall, cpu, text = timed(ours)
        found = json.loads(text)
        print(f"{'niwaki':>8} {wall:9.2f} {cpu:9.2f}  {100 * found['dense']:.1f} / {100 * found['teddy']:.1f}", flush=True)
        wall_numpy, cpu_numpy, text = timed(theirs)
        rows = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        accuracy = {row["method"]: row["test"] for row in rows}
        print(f"{'numpy':>8} {wall_numpy:9.2f} {cpu_numpy:9.2f}  {accuracy['dense']:.1f} / {accuracy['teddy']:.1f}")
        print(f"{'ratio':>8} {wall_numpy / wall:9.2f} {cpu_numpy / cpu:9.2f}", flush=True)


if __name__ == "__main__":
    main()
