"""Loops and statements between trainings as a run sees them: files, events, checkpoints, binaries. Each `case_*` function takes the
compiler and raises Failure."""
import sys
import textwrap
from pathlib import Path

from programs.cases import demand, events, folder, of_kind
from programs.stages import DIGITS, files, read, written

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import kill

DATA = str(Path(kill.ROOT) / "examples" / "data")


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def fit(name="fit", epochs=3, more=""):
    return f"""train net on digits as {name} {{
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-2)
  batch    100
  epochs   {epochs}
{more}}}
"""


def case_rounds_end_in_the_same_bits_everywhere(regc):
    """On one thread and two, as a binary, and in pieces that --steps ends."""
    source, home = written(regc, kill.STAGES.replace("DATA", DATA)), folder(regc)
    text = regc.ok("run", "-q", "--threads", "1", "--out", home / "whole", source)
    demand(regc.ok("run", "-q", "--threads", "2", "--out", home / "two", source) == text, "two threads tell other results")
    regc.ok("build", "-q", source, "-o", home / "program")
    binary = type(regc)(home / "program", regc.scratch)
    demand(binary.ok("-q", "--out", home / "built") == text, "the binary tells other results")
    demand(binary.ok("evaluate", "--weights", home / "whole") == text, "evaluated later, other results")
    for steps in (["--steps", "3"], ["--steps", "9"], ["--steps", "9"], []):
        told = regc.ok("run", "-q", "--resume", "--checkpoint", "0", "--out", home / "parts", *steps, source)
    demand(told == text, "gone on from pieces, other results")
    for other in ("two", "built", "parts"):
        demand(files(home / other) == files(home / "whole"), f"{other}: other files or events")
    names = {p.name for p in (home / "whole").glob("weights*")}
    expected = {f"weights-fit{n}.safetensors" for n in ("", "-2", "-3", "-4", "-5")} | {f"weights-again-{n}.safetensors" for n in range(2, 16)}
    demand(names == expected | {"weights-again.safetensors"}, f"weights of each time: {sorted(names)}")
    found = of_kind(events(regc, "--out", "", source), "train_end")
    demand([e.get("act", 1) for e in found if e["train"] == "fit"] == [1, 2, 3, 4, 5], "which time a training acts")


def case_draws_differ_from_turn_to_turn(regc):
    program = DIGITS + "repeat 3 as r {\n  noise = normal([2])\n  report noise as \"turn {r}\"\n}\nagain = normal([2])\nreport again\n" + fit()
    found = of_kind(events(regc, "--out", "", written(regc, program)), "report")
    demand([e["name"] for e in found] == ["turn 0", "turn 1", "turn 2", "again"], f"{found}")
    demand(len({tuple(e["value"]) for e in found}) == 4, f"the same draws twice: {found}")


def case_a_training_of_each_turn_starts_anew(regc):
    """But for its model: a second turn is a second training of the same text."""
    home, twice = folder(regc), DIGITS + fit("a") + fit("b")
    loop = DIGITS + "repeat 2 {\n" + textwrap.indent(fit("a"), "  ") + "}\n"
    regc.ok("run", "-q", "--out", home / "twice", written(regc, twice))
    regc.ok("run", "-q", "--out", home / "loop", written(regc, loop))
    first, second = (read(home / "loop" / name) for name in ("weights.safetensors", "weights-2.safetensors"))
    demand(first != second, "the second turn changed nothing")
    turns = of_kind(events(regc, "--out", "", written(regc, loop)), "epoch")
    flat = of_kind(events(regc, "--out", "", written(regc, twice)), "epoch")
    demand([e["step"] for e in turns] == [e["step"] for e in flat], "steps are counted through")
    demand(turns[3]["loss"] < 0.5 * turns[0]["loss"], f"the second turn does not go on with the model: {[e['loss'] for e in turns]}")


def case_a_run_ends_where_an_assertion_fails(regc):
    program = written(regc, DIGITS + fit() + "n = 3\nassert n == 3\nassert n + 1 < n\nreport n\n")
    out = folder(regc)
    done = regc("run", "-q", "--out", out, program)
    demand(done.returncode == 4 and "`n + 1 < n`" in done.stderr and "is 4" in done.stderr and "is 3" in done.stderr, f"{done.returncode}\n{done.stderr}")
    demand((out / "weights.safetensors").exists() and "report" not in (out / "metrics.jsonl").read_text(), "what came before it is there, what comes behind it not")
    again = regc("run", "-q", "--resume", "--out", out, program)
    demand(again.returncode == 4, f"gone on with: {again.returncode}")
    for body, code in (("while true, up to 3 { n = n + 1 }", 0), ("while true { n = n + 1 }", None)):
        if code is not None:
            text = regc.ok("run", "-q", "--out", "", written(regc, DIGITS + f"n = 0\n{body}\nreport n\n" + fit()))
            demand("n 3" in text, text)


def case_more_epochs_of_an_earlier_training_are_refused(regc):
    program, out = written(regc, DIGITS + fit("a") + fit("b") + "evaluate net on digits.test { accuracy }\n"), folder(regc)
    regc.ok("run", "-q", "--out", out, program)
    before = {p.name: p.read_bytes() for p in out.iterdir()}
    done = regc("run", "-q", "--resume", "--out", out, "--epochs", "5", program)
    demand(done.returncode == 65 and "the epochs of `a`, which is over (3 then, 5 now)" in done.stderr, done.stderr)
    demand({p.name: p.read_bytes() for p in out.iterdir()} == before, "the refused resume changed the folder")


def case_a_new_run_in_a_folder_leaves_the_old_one(regc):
    """What it was at is not where the new one is gone on with from."""
    program, out, whole = written(regc, DIGITS + fit(epochs=4)), folder(regc), folder(regc)
    regc.ok("run", "-q", "--out", whole, program)
    regc.ok("run", "-q", "--out", out, "--checkpoint", "0", program)
    failed = regc("run", "-q", "--out", out, "--weights", out / "missing", program)
    demand(failed.returncode == 66, failed.stderr)
    demand(not (out / "checkpoint.safetensors").exists(), "the old run's checkpoint is there")
    regc.ok("run", "-q", "--resume", "--out", out, program)
    demand(files(out) == files(whole), "gone on from the old run")


def case_save_writes_where_the_program_runs(regc):
    home = folder(regc)
    program = home / "p.reg"
    program.write_text(DIGITS + fit() + 'save net to "kept.safetensors"\n')
    regc.ok("run", "-q", "--out", home / "out", program, cwd=home)
    demand(read(home / "kept.safetensors") == read(home / "out" / "weights.safetensors"), "what was saved is not the model")
    program.write_text(DIGITS + fit() + 'save net to "none/kept.safetensors"\n')
    done = regc("run", "-q", "--out", home / "out", program, cwd=home)
    demand(done.returncode == 73 and "none/kept.safetensors" in done.stderr and "makes no folders" in done.stderr, done.stderr)
