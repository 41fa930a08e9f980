"""Reading a table of 2 million rows and 11 columns of decimal numbers (200 MB), beside pandas' C reader (Debian's python3-pandas). In: the
bench's program `bench_table`. Out: for `run` one object and one text: seconds of processor time, which other processes disturb little. On
two threads it is that of the first thread, which reads one of two equal pieces and all that is not divided: the time of an idle machine.
pandas has one thread. The least of the rounds counts; the two alternate."""
import random
import subprocess

ROWS, COLUMNS = 2_000_000, 11
PEER = """import sys, time, pandas
t = time.process_time()
d = pandas.read_csv(sys.argv[1], engine="c")
print(time.process_time() - t, len(d))
"""


def make(folder):
    folder.mkdir(parents=True, exist_ok=True)
    table = folder / "table.csv"
    if table.exists():
        return table
    rng = random.Random(0)
    pool = [",".join(f"{rng.gauss(0, 1):.6f}" for _ in range(COLUMNS)) for _ in range(20011)]
    unfinished = table.with_suffix(".part")
    with open(unfinished, "w") as out:
        out.write(",".join([*(f"x{k}" for k in range(COLUMNS - 1)), "y"]) + "\n")
        for _ in range(ROWS // 1000):
            out.write("\n".join(rng.choices(pool, k=1000)) + "\n")
    unfinished.rename(table)
    return table


def reading(program, folder, rounds, python):
    table, ours, peers = make(folder), {1: [], 2: []}, []
    for _ in range(rounds):
        for threads, cores in ((1, "0"), (2, "0,1")):
            out = subprocess.run(["taskset", "-c", cores, program, table, "y"], check=True, capture_output=True, text=True).stdout.split()
            assert int(out[4]) == ROWS
            ours[threads].append((float(out[0]), int(out[3])))
        peer = subprocess.run([python, "-c", PEER, table], capture_output=True, text=True)
        peers += [float(peer.stdout.split()[0])] if peer.returncode == 0 else []
    (one, megabytes), (two, _) = min(ours[1]), min(ours[2])
    result = {"workload": "table", "seconds": one, "seconds_two_threads": two, "megabytes": megabytes}
    text = f"{'table':14} {one:.2f} s with one thread, {two:.2f} with two, {megabytes} MB"
    if not peers:
        return result, text + "; pandas is not installed (Debian: python3-pandas)"
    result |= {"peer_seconds": min(peers), "ratios": [min(peers) / one, min(peers) / two]}
    return result, f"{text}; pandas {min(peers):.2f} s, ratios {min(peers) / one:.2f} and {min(peers) / two:.2f}"
