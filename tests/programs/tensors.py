"""The .safetensors format, from its public description: eight bytes with the header's length (little endian), the header (a
JSON object, padded with blanks: for each tensor dtype, shape and data_offsets into what follows; `__metadata__` besides), then the
bytes of the tensors, row by row. Shares no code with the compiler."""
import json
import math
import struct

TYPES = {"F64": "d", "F32": "f", "F16": "e", "BF16": None, "I64": "q", "I32": "i"}
WIDTH = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4}


class Malformed(Exception):
    """The bytes are no .safetensors file."""


def unpack(dtype, data):
    if dtype == "BF16":  # the upper half of a 32-bit float
        return [struct.unpack("<f", b"\0\0" + data[i:i + 2])[0] for i in range(0, len(data), 2)]
    return list(struct.unpack(f"<{len(data) // WIDTH[dtype]}{TYPES[dtype]}", data))


def pack(dtype, values):
    if dtype == "BF16":
        return b"".join(struct.pack("<f", v)[2:] for v in values)
    return struct.pack(f"<{len(values)}{TYPES[dtype]}", *values)


def parse(data):
    """{name: (shape, values)} of a file's bytes; demands that every byte belongs to exactly one tensor."""
    if len(data) < 8:
        raise Malformed("no header")
    length = struct.unpack("<Q", data[:8])[0]
    if length > len(data) - 8 or data[8:9] != b"{":
        raise Malformed("a wrong header length")
    try:
        header = json.loads(data[8:8 + length])
    except ValueError as e:
        raise Malformed(str(e)) from e
    body, at, tensors = data[8 + length:], 0, {}
    header.pop("__metadata__", None)
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = entry["data_offsets"]
        if begin != at or end > len(body) or end - begin != math.prod(entry["shape"]) * WIDTH[entry["dtype"]]:
            raise Malformed(f"{name} has offsets {begin}, {end}")
        tensors[name] = (entry["shape"], unpack(entry["dtype"], body[begin:end]))
        at = end
    if at != len(body):
        raise Malformed("bytes behind the last tensor")
    return tensors


def build(tensors, metadata=None):
    """The bytes of [(name, dtype, shape, values)] in this order."""
    header, body = {"__metadata__": metadata} if metadata else {}, b""
    for name, dtype, shape, values in tensors:
        data = pack(dtype, values)
        header[name] = {"shape": shape, "data_offsets": [len(body), len(body) + len(data)], "dtype": dtype}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + body
