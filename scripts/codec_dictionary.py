#!/usr/bin/env python3
"""The dictionary of the block codec: sample entries from which every stream of version 2 begins to guess.

    scripts/codec_dictionary.py --out FILE [--workload SAMPLE] NODE.sqlite ...

Takes the entries of nodes' databases (a demo's, say), and a sample of the common workload's entries that
`WADI_CODEC_SAMPLE=SAMPLE cargo test --workspace --test codec_bytes write_a_sample -- --ignored` writes. Hashes become
zeros and logs a few short names: the codec never guesses those. Each entry stands behind its length of two bytes (big
endian); the whole is compressed by `zstd -19`.

A dictionary that was published never changes: another one takes another number (`DICTIONARY_VERSION` in
crates/wadi-sync/src/codec/mod.rs), and nodes that know only the first are still served.
"""

import argparse
import sqlite3
import subprocess

CHANGE, BOOT, SEEN, OFFICER, POLICY, ALARM = 1, 2, 3, 5, 6, 13
KINDS = {CHANGE, BOOT, SEEN, OFFICER, POLICY, ALARM}
ENTRY_BYTES_MAX = 4096


def varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def read_varint(data, at):
    number = shift = 0
    while True:
        number |= (data[at] & 0x7F) << shift
        at += 1
        if data[at - 1] < 0x80:
            return number, at
        shift += 7


def fields(data):
    """Field numbers, wire types and values of a message."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        value, at = read_varint(data, at)
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        yield tag >> 3, tag & 7, value


def message(parts):
    out = bytearray()
    for number, wire, value in parts:
        out += varint(number << 3 | wire)
        out += varint(len(value)) + value if wire == 2 else varint(value)
    return bytes(out)


def plain_log(log):
    """A log's lane and crossing, of a node that stands for all."""
    return bytes(24) + log[24:]


def plain_head(data):
    parts = []
    for number, wire, value in fields(data):
        if number == 1:
            value = plain_log(value)
        elif number == 3:
            value = bytes(32)
        parts.append((number, wire, value))
    return message(parts)


def plain_body(kind, body):
    heads = {CHANGE: 2, BOOT: 2, SEEN: 1}.get(kind)
    parts = []
    for number, wire, value in fields(body):
        if number == heads:
            value = plain_head(value)
        elif kind == CHANGE and number == 1:
            value = bytes(32)
        parts.append((number, wire, value))
    return message(parts)


def plain(entry):
    """The entry without hashes; none where it teaches nothing."""
    parts = list(fields(entry))
    kind = next((value for number, _, value in parts if number == 2), 0)
    if kind not in KINDS or len(entry) > ENTRY_BYTES_MAX:
        return None
    return message((n, w, plain_body(kind, v) if n == 11 and kind in (CHANGE, BOOT, SEEN) else v) for n, w, v in parts)


def of_node(path):
    database = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
    rows = database.execute("SELECT bytes FROM entries ORDER BY log, seq")
    return [bytes(row[0]) for row in rows]


def of_sample(path):
    with open(path, "rb") as file:
        data = file.read()
    entries, at = [], 0
    while at < len(data):
        length = int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : at + 2 + length])
        at += 2 + length
    return entries


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--workload", action="append", default=[])
    parser.add_argument("--bytes-max", type=int, default=600_000)
    parser.add_argument("nodes", nargs="*")
    args = parser.parse_args()

    sources = [of_sample(path) for path in args.workload] + [of_node(path) for path in args.nodes]
    out, seen = bytearray(), set()
    for entries in sources:
        for entry in filter(None, map(plain, entries)):
            if entry in seen or len(out) + len(entry) + 2 > args.bytes_max:
                continue
            seen.add(entry)
            out += len(entry).to_bytes(2, "big") + entry

    packed = subprocess.run(["zstd", "-19", "-q", "-c"], input=bytes(out), stdout=subprocess.PIPE, check=True).stdout
    with open(args.out, "wb") as file:
        file.write(packed)
    print(f"{len(seen)} entries, {len(out)} bytes, {len(packed)} compressed")


if __name__ == "__main__":
    main()
