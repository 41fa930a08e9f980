"""What others read: event files of TensorBoard, by a reader of its own, made from the descriptions of TFRecord (length, masked
CRC-32C, bytes, masked CRC-32C), of Protocol Buffers and of event.proto and summary.proto."""
import json
import struct

from programs.cases import demand, placed

SWEPT = """data rows = csv("t.csv", target: y) |> split(train: 60%, valid: 20%, test: 20%, seed: 1)
schedule rate = ramp(0.02 -> 0.01, over: 3 epochs)
model line(x: [2]) -> [1] = x |> dense(1)
train line on rows {
  loss     mse(line(x), y)
  penalize w in line.*.weight : 1e-3 * l2(w)
  optimize sgd(lr: rate)
  log      size = norm(line.*)
  batch    8
  epochs   6
}
e = evaluate line on rows.test { mse, mae }
report e.mse as "error"
report line.*
sweep strength in [1, 2, 3] as path { v = 2 * strength }
"""
TABLE = "a,b,y\n" + "".join(f"{i % 7},{i % 5},{i % 7 - 2 * (i % 5)}\n" for i in range(40))


def all_cases():
    return [(name[5:], f) for name, f in sorted(globals().items()) if name.startswith("case_")]


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def masked(data):
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def records(data):
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        demand(struct.unpack("<I", data[8:12])[0] == masked(data[:8]), "the sum of a length")
        body = data[12:12 + length]
        demand(len(body) == length and struct.unpack("<I", data[12 + length:16 + length])[0] == masked(body), "the sum of a record")
        yield body
        data = data[16 + length:]


def fields(message):
    """(number, value) of each field: an int, eight or four bytes, or bytes of their own length."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        if key & 7 == 0:
            yield key >> 3, varint()
            continue
        length = {1: lambda: 8, 5: lambda: 4, 2: varint}[key & 7]()
        demand(at + length <= len(message), "a field ends behind its message")
        yield key >> 3, message[at:at + length]
        at += length


def scalars(path):
    """{tag: [(step, value)]} of an event file, behind the record that tells its version."""
    found = {}
    first, *events = [dict(fields(r)) for r in records(path.read_bytes())]
    demand(first[3] == b"brain.Event:2" and struct.unpack("<d", first[1])[0] > 1.7e9, f"{first}")
    for event in events:
        for _, value in fields(event.get(5, b"")):
            value = dict(fields(value))
            found.setdefault(value[1].decode(), []).append((event.get(2, 0), struct.unpack("<f", value[2])[0]))
    return {tag: sorted(values) for tag, values in found.items()}  # runs of a sweep end in any order


def case_tensorboard_reads_what_the_events_say(regc):
    demand(crc32c(b"123456789") == 0xE3069283, "the reader's own sum")
    where = placed(regc, SWEPT, TABLE)
    regc.ok("run", "-q", "p.reg", "--tensorboard", "--out", "here", cwd=where)
    found = scalars(where / "here/events.out.tfevents.regc")
    told = [json.loads(line) for line in (where / "here/metrics.jsonl").read_text().splitlines()]
    epochs = [e for e in told if e["event"] == "epoch"]

    def same(tag, expected):
        demand([s for s, _ in found[tag]] == [s for s, _ in expected] and
               all(abs(a - b) <= 1e-6 * abs(b) for (_, a), (_, b) in zip(found[tag], expected)), f"{tag}: {found[tag]} {expected}")

    for tag, of in (("line/loss", lambda e: e["loss"]), ("line/objective", lambda e: e["objective"]), ("line/terms/l2", lambda e: e["terms"]["l2"]),
                    ("line/logs/size", lambda e: e["logs"]["size"]), ("line/schedules/rate", lambda e: e["schedules"]["rate"]),
                    ("line/valid/loss", lambda e: e["valid"]["loss"])):
        same(tag, [(e["step"], of(e)) for e in epochs])
    measured = next(e for e in told if e["event"] == "evaluate")["metrics"]
    same("rows.test/line/mae", [(1, measured["mae"])])
    same("report/error", [(0, measured["mse"])])
    same("path/v", [(0, 2), (1, 4), (2, 6)])
    regc.ok("run", "-q", "p.reg", "--tensorboard", "--out", "parts", "--steps", "7", cwd=where)
    with (where / "parts/events.out.tfevents.regc").open("ab") as f:
        f.write(b"half of a rec")
    regc.ok("run", "-q", "p.reg", "--tensorboard", "--out", "parts", "--resume", cwd=where)
    demand(scalars(where / "parts/events.out.tfevents.regc") == found, "a run in two parts leaves other events")
    regc.ok("run", "-q", "p.reg", "--out", "without", cwd=where)
    demand(not list((where / "without").glob("*tfevents*")), "an event file that nobody wanted")
