"""States with a row for each row of the training data. Each `case_*` function takes the compiler and raises Failure."""
import sys
from pathlib import Path

from programs.cases import demand, events, folder, of_kind, written
from programs.updates import DIGITS, in_parts_and_built, read

sys.path[:0] = [str(Path(__file__).resolve().parent)]
import tensors


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


# A hundred rows, of which two are there again: 103 in batches of 25.
FEW = DIGITS + """
data few = digits with train = digits.train[concat(arange(100), [3, 3, 7], axis: 0)]
model net(x: [64]) -> [10] = x |> dense(8) |> relu |> dense(10)
"""

OWN_ROWS = FEW + """
train net on few as first {
  state whose[sample] = -1
  state seen[sample]: [2] = [0, 10]
  state times: [1] = 0
  whose <- id
  seen <- seen + 1
  times <- times + 1
  loss     cross_entropy(net(x), label)
  optimize sgd(lr: 0.02)
  batch    25
  epochs   3
  each epoch { assert first.seen[0, 0] == first.times[0] / 5 }
}
assert all(first.whose == few.train.id)
assert all(first.seen[.., 1] == first.seen[.., 0] + 10)
report first.seen[.., 0] as "seen"
"""


def case_rows_are_found_by_their_id(regc):
    """Shuffled rows of each epoch find their own; those that were picked twice have one, whose last visit in a batch counts."""
    program = written(regc, OWN_ROWS)
    found = of_kind(events(regc, "--out", folder(regc) / "run", program), "report")
    seen = next(e["value"] for e in found if e["name"] == "seen")
    once = [k for k in range(100) if k not in (3, 7)]
    demand([seen[k] for k in once] == [3] * 98, "a row was not seen once an epoch")
    demand(seen[3] == seen[100] == seen[101] and seen[7] == seen[102], "rows of one id have several states")
    demand(3 <= seen[3] <= 9 and 3 <= seen[7] <= 6, f"seen {seen[3]} and {seen[7]} times")


REMEMBERING = DIGITS + """
model net(x: [64]) -> [10] = x |> dense(24) as hidden |> relu |> dropout(0.2) |> dense(10) as head

train net on digits as first {
  state start[sample]: [2] ~ normal_init(std: 1)
  state hits[sample] = 0
  z = net(x)
  hits <- if argmax(z) == label then hits + 1 else 0
  loss     own_past(z, label, share: 0.8 * progress)
  penalize : 3 * early_learning(z) + 1e-3 * mean(start[.., 0] * max(z, axis: -1))
  penalize : temporal_ensembling(z)
  optimize adam(lr: 3e-3)
  batch    100
  epochs   4
  stop     when valid.loss stalls for 2 epochs, keep best
  each epoch { report mean(first.hits) as "hits" }
}
report mean(first.early_learning.average, axis: 0) as "averages"
evaluate net on digits.test { accuracy }
"""


def case_states_of_rows_keep_their_bits(regc):
    """On one thread, in pieces, and as a binary, in single and double precision."""
    for head in ("", "precision f64\n"):
        program = written(regc, head + REMEMBERING)
        home = folder(regc)
        regc.ok("run", "--out", home / "whole", "--threads", "2", program)
        regc.ok("run", "--out", home / "one", "--threads", "1", program)
        in_parts_and_built(regc, program, home, (3, 11, 17))
        whole = read(home / "whole" / "weights.safetensors")
        lines = [line for line in (home / "whole" / "metrics.jsonl").read_text().splitlines() if '"report"' in line]
        demand(len(lines) > 3, "nothing was reported")
        for other in ("one", "parts", "built"):
            demand(read(home / other / "weights.safetensors") == whole, f"{other}: other weights")
            text = (home / other / "metrics.jsonl").read_text()
            demand([line for line in text.splitlines() if '"report"' in line] == lines, f"{other}: other reports")


def case_states_of_rows_belong_to_the_training(regc):
    """They are in its checkpoint, in no file of weights, and start anew with each act."""
    home = folder(regc)
    program = written(regc, FEW + """
total = 0
repeat 2 {
  train net on few as again {
    state seen[sample] = 0
    seen <- seen + 1
    loss     cross_entropy(net(x), label)
    optimize sgd(lr: 0.02)
    batch    50
    epochs   2
  }
  total = total + again.seen[0]
}
assert total == 4
""")
    regc("run", "--out", home / "run", "--steps", "4", program)
    names = set(tensors.parse((home / "run" / "checkpoint.safetensors").read_bytes()))
    demand("state train.seen" in names, f"the checkpoint has no rows: {names}")
    regc.ok("run", "--out", home / "run", "--resume", program)
    names = set(read(home / "run" / "weights.safetensors"))
    demand(names == {f"net.dense{k}.{part}" for k in (1, 2) for part in ("weight", "bias")}, f"saved were {names}")


def case_each_call_has_a_state_of_its_own(regc):
    """Two calls of a penalty, and one for each of several parameters or models: none sees what another keeps."""
    regc.ok("run", "--out=", written(regc, FEW + """
model two[2] = new net
penalty visits(x: [n, i], by: number) {
  state k[sample] = 0
  k <- k + by
  0 * mean(k)
}
penalty size(w: [..]) {
  state old: like w = 0
  old <- w
  0 * sum(old)
}
train net, two on few as first {
  loss     cross_entropy(net(x), label) + mean(each m in two : cross_entropy(m(x), label))
  penalize : visits(x, 7)
  penalize : mean(each m in two : visits(m(x), 5))
  penalize : visits(x, 2) + sum(each k in 0..3 : visits(x, 1))
  penalize w in net.*.weight : size(w)
  optimize sgd(lr: 0.02)
  batch    20
  epochs   1
}
assert first.visits.k[0] == 7
"""))


def case_a_diverging_training_gives_rows_back(regc):
    """The replay of its epoch starts from the states that the epoch began with: the step that is told is the one that spoiled it."""
    program = written(regc, FEW.replace("concat(arange(100), [3, 3, 7], axis: 0)", "0..100") + """
train net on few {
  state seen[sample] = 0
  seen <- seen + 1
  loss     cross_entropy(net(x), label) + (if training then mean(if seen > 2 then log(2 - seen) else 0) else 0)
  optimize sgd(lr: 0.02)
  batch    50
  epochs   5
}
""")
    done = regc("run", "--out=", "--quiet", program)
    demand(done.returncode == 3 and "step 4 (epoch 3)" in done.stderr, f"exit {done.returncode}: {done.stderr}")


FURTHER = DIGITS + """
data few = digits with train = digits.train[0..200]
data other = digits with train = digits.train[200..500]
model net(x: [64]) -> [10] = x |> dense(24) as hidden |> relu |> dropout(0.2) |> dense(10) as head

train net on few, u = other(batch: 70) as semi {
  state met[u.id] = 0
  state whose[u.id]: [1] = -1
  state own[sample] = 0
  state twice[sample] = 0
  met <- met + 1
  whose <- u.id[.., new]
  own <- own + 1
  twice <- twice + 2
  loss     cross_entropy(net(x), label)
  penalize : temporal_ensembling(net(u.x), of: u.id) + 0.1 * temporal_ensembling(net(x))
  optimize adam(lr: 3e-3)
  batch    40
  epochs   6
}
report mean(semi.temporal_ensembling.average, axis: 0) as "averages"
evaluate net on digits.test { accuracy }
"""

FURTHER_HOLDS = """
assert sum(semi.met) <= 30 * 70 and sum(semi.met) > 2000 and max(semi.met) == 7 # once, where a batch has a row twice
assert all(semi.whose[.., 0] == other.train.id)
assert all(semi.own == 6) and all(semi.twice == 12)
"""


def case_rows_of_further_data_have_states(regc):
    """Passes over them end anywhere within an epoch: 30 batches of 70 are seven passes over 300 rows. The same bits in pieces and built."""
    program = written(regc, FURTHER)
    home = folder(regc)
    regc.ok("run", "--out=", written(regc, FURTHER + FURTHER_HOLDS))
    regc.ok("run", "--out", home / "whole", "--threads", "1", program)
    in_parts_and_built(regc, program, home, (4, 13))
    for other in ("parts", "built"):
        demand(read(home / other / "weights.safetensors") == read(home / "whole" / "weights.safetensors"), f"{other}: other weights")


def case_the_prompt_has_states_of_rows(regc):
    """When the training is over; a definition that has some is told where it stands outside of one."""
    done = regc("repl", stdin=FEW + """train net on few as first {
  state seen[sample] = 0
  seen <- seen + 1
  loss     cross_entropy(net(x), label)
  penalize : early_learning(net(x))
  optimize sgd(lr: 0.05)
  epochs   2
}
first.seen[0]
report sum(first.early_learning.average[0]) as "first"
early_learning(net(few.train.x))
""")
    out = done.stdout.splitlines()
    demand(out[-2] == "2" and out[-1].startswith("first 0.5"), done.stdout)
    demand("outside of training" in done.stderr and "in this call" in done.stderr, done.stderr)


def case_rows_are_drawn_by_their_states(regc):
    """What each row's loss was when it was last met says how likely it is in the next pass; drawn and kept rows find their states."""
    regc.ok("run", "--out=", written(regc, FEW + """
train net on few as first {
  state met[sample] = 0
  state late[sample] = 3
  z = net(x)
  met <- met + 1
  late <- stop(cross_entropy(z, label, per_row: true))
  loss     cross_entropy(z, label)
  optimize adam(lr: 1e-3)
  batch    16
  sample   by (if epoch == 0 then 1 else first.late), 70 rows
  epochs   8
}
assert sum(first.met) <= 560 + 20 and sum(first.met) > 450 and max(first.met) > 6
train net on few as second {
  state met[sample] = 0
  met <- met + 1
  loss     cross_entropy(net(x), label)
  optimize adam(lr: 1e-3)
  batch    30
  sample   where label < 5
  epochs   3
}
assert all((second.met > 0) == (few.train.label < 5)) and sum(second.met[..100]) >= 3 * sum(few.train.label[..100] < 5)
"""))
