#!/usr/bin/env python3
"""Verifies a file of evidence, from docs/evidence.md alone and sharing no code with the program that makes such files.

    python3 verify_evidence.py FILE --root ROOT.PUB [--json]

Exits 0 where everything is right, 4 where anything is not, 2 where the arguments are wrong or a file cannot be read.
Needs Python 3.11 and the package `cryptography`, of which it uses Ed25519.
"""

import argparse
import base64
import json
import re
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from hashlib import sha256, sha512

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

MAX_FILE_BYTES = 256 * 1024 * 1024
MAX_LINES = 100_000
MAX_ENTRY_BYTES = 32_768
MAX_U64 = 2**64 - 1
LANES = ["control", "hold", "customs", "passage", "site"]  # an entry's reference holds the place in this list
ROLE_HUB = 2


class NotValid(Exception):
    """The verdict against a file: the code of the check that failed, and why."""

    def __init__(self, code, why):
        super().__init__(why)
        self.code, self.why = code, why


@contextmanager
def check(code):
    """Whatever goes wrong inside, foreseen or not, is a verdict with this code: a file must not get by with a crash."""
    try:
        yield
    except Exception as problem:
        raise NotValid(code, str(problem) or type(problem).__name__) from problem


@contextmanager
def at_line(place):
    """Says in the reason which line it is about; lines are counted from 0 here and from 1 for people."""
    try:
        yield
    except Exception as problem:
        raise ValueError(f"line {place + 1}: {str(problem) or type(problem).__name__}") from problem


def require(condition, why):
    if not condition:
        raise ValueError(why)


# ---- The forms of the lines. A form is a function that takes a JSON value and returns what it stands for, or raises.


def text(value):
    require(isinstance(value, str), "a string is missing")
    value.encode("utf-8")  # raises on half of a surrogate pair, which JSON can write and Unicode text cannot hold
    return value


def number(value):
    require(type(value) is int and 0 <= value <= MAX_U64, "a whole number of 64 bits is missing")  # True is no number
    return value


def flag(value):
    require(isinstance(value, bool), "true or false is missing")
    return value


def one_of(*words):
    def read(value):
        require(isinstance(value, str) and value in words, f"none of the words {', '.join(words)}")
        return value
    return read


def hex_of(length):
    def read(value):
        require(re.fullmatch("[0-9a-f]{%d}" % (2 * length), text(value)), f"not {length} bytes in lower-case hex")
        return bytes.fromhex(value)
    return read


def base64_of(length=None, at_most=None):
    def read(value):
        decoded = base64.b64decode(text(value), validate=True)
        # Padding and unused bits can be written in several ways, of which only the canonical one is let through.
        require(base64.b64encode(decoded).decode() == value, "base64 that is not canonical")
        require(length is None or len(decoded) == length, f"base64 of {len(decoded)} bytes in place of {length}")
        require(at_most is None or len(decoded) <= at_most, f"base64 of {len(decoded)} bytes, more than {at_most}")
        return decoded
    return read


def list_of(form):
    def read(value):
        require(isinstance(value, list), "a list is missing")
        return [form(item) for item in value]
    return read


def object_of(**forms):
    def read(value):
        require(isinstance(value, dict) and value.keys() == forms.keys(), f"not the members {', '.join(forms)}")
        return {name: form(value[name]) for name, form in forms.items()}
    return read


HEADER_FORM = object_of(evidence=text, record=hex_of(32), printed=text, made_s=number, by=hex_of(16))
PROOF_FORM = object_of(checkpoint=number, path=list_of(base64_of(32)))
LINE_FORMS = {
    "enrolment": base64_of(),
    "checkpoint": text,
    "entry": object_of(log=text, seq=number, role=one_of("record", "seen", "control"), counts=flag,
                       bytes=base64_of(at_most=MAX_ENTRY_BYTES), proofs=list_of(PROOF_FORM)),
    "fork": base64_of(),  # nothing more of it is looked at
    "seal": object_of(by=hex_of(16), lines=number, sha256=hex_of(32), signature=base64_of(64)),
}


def members_once(pairs):
    members = dict(pairs)
    require(len(members) == len(pairs), "an object with two members of one name")
    return members


def unsigned(digits):
    require(not digits.startswith("-"), "a negative number")
    return int(digits)


def no_number(written):
    raise ValueError(f"a number that is not whole: {written[:20]}")


JSON = json.JSONDecoder(object_pairs_hook=members_once, parse_int=unsigned, parse_float=no_number,
                        parse_constant=no_number)


def read_line(line):
    """The kind of a line and what it holds."""
    require("\r" not in line, "a carriage return")
    value = JSON.decode(line)
    require(isinstance(value, dict), "not a JSON object")
    if "evidence" in value:
        return "header", HEADER_FORM(value)
    require(len(value) == 1, "a line with other than one member")
    [(kind, content)] = value.items()
    require(kind in LINE_FORMS, "a kind of line that there is not")
    return kind, LINE_FORMS[kind](content)


def read_lines(data):
    require(len(data) <= MAX_FILE_BYTES, f"more than {MAX_FILE_BYTES} bytes")
    require(data.count(b"\n") <= MAX_LINES, f"more than {MAX_LINES} lines")
    *lines, rest = data.decode("utf-8").split("\n")
    require(rest == "", "the last line does not end with a line feed")
    read = []
    for place, line in enumerate(lines):
        with at_line(place):
            read.append(read_line(line))
    return read


# ---- Protobuf. A shape gives each known field a name and a type; a type in a list may be repeated.

ENROLMENT = {1: ("statement", bytes), 2: ("root_signature", bytes)}
STATEMENT = {1: ("name", str), 2: ("role", int), 3: ("crossing", str), 4: ("log_key", bytes), 5: ("tls_key", bytes),
             6: ("grants", [bytes]), 7: ("serial", int), 8: ("issued_s", int)}
SPOKEN = {1: ("version", int), 2: ("kind", int), 3: ("wall_ms", int), 5: ("happened_ms", int),
          6: ("happened_source", str), 7: ("officer", str), 8: ("department", str), 9: ("device", str), 11: ("body", bytes)}
CHANGE = {1: ("record", bytes), 2: ("based_on", [bytes]), 3: ("puts", [bytes]), 4: ("events", [str])}
PUT = {1: ("key", str), 2: ("value", bytes)}
OFFICER_KEY = {1: ("officer", str), 2: ("key", bytes), 3: ("revision", int), 4: ("taken_back", int)}
BASED_ON = {1: ("log", bytes), 2: ("seq", int), 3: ("leaf", bytes)}


def read_varint(data, at):
    value = 0
    for shift in range(0, 70, 7):
        require(at < len(data), "protobuf that ends inside a number")
        byte, at = data[at], at + 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            require(value <= MAX_U64, "a protobuf number of more than 64 bits")
            return value, at
    raise ValueError("a protobuf number of more than ten bytes")


def protobuf_fields(data):
    """Number and value of each field; the value is a whole number, bytes, or None for a type that no message uses."""
    at = 0
    while at < len(data):
        tag, at = read_varint(data, at)
        field, wire_type = tag >> 3, tag & 7
        require(1 <= field < 2**29, "a protobuf field with a wrong number")
        if wire_type == 0:
            value, at = read_varint(data, at)
        else:
            require(wire_type in (1, 2, 5), "a protobuf field of a type that there is not")
            length, at = read_varint(data, at) if wire_type == 2 else ({1: 8, 5: 4}[wire_type], at)
            require(length <= len(data) - at, "a protobuf field longer than its message")
            value = data[at:at + length] if wire_type == 2 else None
            at += length
        yield field, value


def decode(data, shape):
    """A message by its shape: a field left out is zero or empty, of several the last counts, others are passed over."""
    message = {name: [] if isinstance(kind, list) else kind() for name, kind in shape.values()}
    for field, value in protobuf_fields(data):
        if field not in shape:
            continue
        name, kind = shape[field]
        item = kind[0] if isinstance(kind, list) else kind
        require(isinstance(value, int if item is int else bytes), f"protobuf field {name} has another type")
        value = value.decode("utf-8") if item is str else value
        if isinstance(kind, list):
            message[name].append(value)
        else:
            message[name] = value
    return message


# ---- Enrolments, checkpoints, entries.


@dataclass
class Node:
    line: int
    name: str
    role: int
    log_key: bytes


@dataclass
class Checkpoint:
    line: int
    origin: str
    size: int
    root: bytes
    hub_time: int | None
    hub_cosigned: list  # the times at which hubs cosigned it


def require_signature(key, signature, signed, whose):
    try:
        Ed25519PublicKey.from_public_bytes(key).verify(signature, signed)
    except InvalidSignature:
        raise ValueError(f"the signature of {whose} is wrong") from None


def read_enrolment(line, data, root_key):
    """The node id and the node."""
    enrolment = decode(data, ENROLMENT)
    require(len(enrolment["root_signature"]) == 64, "the root's signature has not 64 bytes")
    signed = b"wadi.enrolment/v1\n" + enrolment["statement"]
    require_signature(root_key, enrolment["root_signature"], signed, "the commission's root")
    statement = decode(enrolment["statement"], STATEMENT)
    require(statement["role"] in (1, 2, 3), "a role that there is not")
    require(len(statement["log_key"]) == 32 and len(statement["tls_key"]) == 32, "a key has not 32 bytes")
    for grant in statement["grants"]:
        list(protobuf_fields(grant))
    node_id = sha256(b"wadi.node/v1\n" + statement["log_key"]).digest()[:16]
    return node_id, Node(line, statement["name"], statement["role"], statement["log_key"])


def enrolled_before(line, nodes, node_id):
    require(node_id in nodes and nodes[node_id].line < line, f"no enrolment of node {node_id.hex()} before it")
    return nodes[node_id]


DECIMAL = "(0|[1-9][0-9]{0,19})"
LANE_AND_CROSSING = f"({'|'.join(LANES)})/([A-Z0-9]{{3}})"
ORIGIN = re.compile(f"wadi\\.log/v1/([0-9a-f]{{32}})/([0-9a-f]{{16}})/{LANE_AND_CROSSING}")
HUB_TIME = re.compile(f"hub-time {DECIMAL}")
LOG_SIZES = re.compile(f"logs(?: {LANE_AND_CROSSING}={DECIMAL})+")
SIGNATURE = re.compile("\u2014 ([^ ]+) ([^ ]+)")
COSIGNER = re.compile("wadi\\.node/v1/([0-9a-f]{32})")


def decimal(written):
    require(re.fullmatch(DECIMAL, written), "not a decimal number")
    return number(int(written))


def key_id(name, algorithm, key):
    return sha256(name.encode() + b"\n" + bytes([algorithm]) + key).digest()[:4]


def read_checkpoint(line, note, nodes):
    body, blank, signatures = note.partition("\n\n")
    require(blank and signatures.endswith("\n"), "not a signed note")
    signed = body.encode() + b"\n"
    origin, size, root, *further = body.split("\n")
    parts = ORIGIN.fullmatch(origin)
    require(parts, "not the origin of a log")
    checkpoint = Checkpoint(line, origin, decimal(size), base64_of(32)(root), None, [])
    if further and (hub_time := HUB_TIME.fullmatch(further[0])):
        checkpoint.hub_time = number(int(hub_time[1]))
        further.pop(0)
    if further and parts[3] == "control" and LOG_SIZES.fullmatch(further[0]):
        for log in further.pop(0).split(" ")[1:]:
            decimal(log.partition("=")[2])
    require(not further, "a line of the body that is not to be there")

    author_line, *cosignature_lines = signatures[:-1].split("\n")
    name, blob = split_signature(author_line, 4 + 64)
    require(name == origin, "the first signature is not by the log's author")
    author = enrolled_before(line, nodes, bytes.fromhex(parts[1]))
    require(blob[:4] == key_id(name, 0x01, author.log_key), "the key id of the author is wrong")
    require_signature(author.log_key, blob[4:], signed, "the author")
    for cosignature_line in cosignature_lines:
        name, blob = split_signature(cosignature_line, 4 + 8 + 64)
        cosigner = COSIGNER.fullmatch(name)
        require(cosigner, "not the name of a witness")
        witness = enrolled_before(line, nodes, bytes.fromhex(cosigner[1]))
        require(blob[:4] == key_id(name, 0x04, witness.log_key), "the key id of a witness is wrong")
        time = int.from_bytes(blob[4:12], "big")
        require_signature(witness.log_key, blob[12:], b"cosignature/v1\ntime %d\n" % time + signed, "a witness")
        if witness.role == ROLE_HUB:
            checkpoint.hub_cosigned.append(time)
    return checkpoint


def split_signature(line, length):
    parts = SIGNATURE.fullmatch(line)
    require(parts, "not a signature line")
    return parts[1], base64_of(length)(parts[2])


def leaf_hash(data):
    return sha256(b"\x00" + data).digest()


def leads_to_root(leaf, seq, path, size, root):
    """RFC 9162, section 2.1.3.2; `place` and `last` are its fn and sn."""
    if seq >= size:
        return False
    place, last, hashed = seq, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if place & 1 or place == last:
            hashed = sha256(b"\x01" + sibling + hashed).digest()
            while not place & 1 and place != 0:
                place, last = place >> 1, last >> 1
        else:
            hashed = sha256(b"\x01" + hashed + sibling).digest()
        place, last = place >> 1, last >> 1
    return last == 0 and hashed == root


def proving_checkpoints(line, entry, checkpoints):
    require(entry["proofs"], "no proof")
    proving = []
    for proof in entry["proofs"]:
        require(proof["checkpoint"] < len(checkpoints), "a proof by a checkpoint that there is not")
        checkpoint = checkpoints[proof["checkpoint"]]
        require(checkpoint.line < line, "a proof by a checkpoint that stands behind it")
        require(checkpoint.origin == entry["log"], "a proof by a checkpoint of another log")
        leads = leads_to_root(leaf_hash(entry["bytes"]), entry["seq"], proof["path"], checkpoint.size, checkpoint.root)
        require(leads, "a path does not lead to the checkpoint's root")
        proving.append(checkpoint)
    return proving


def reference(entry):
    node_id, epoch, lane, crossing = ORIGIN.fullmatch(entry["log"]).groups()
    log_id = bytes.fromhex(node_id) + bytes.fromhex(epoch) + bytes([LANES.index(lane)]) + crossing.encode()
    return log_id + entry["seq"].to_bytes(8, "big") + leaf_hash(entry["bytes"])


def read_put(put):
    """The field and the value that is put into it: None, text, a whole number or a flag."""
    put, value = decode(put, PUT), None
    for field, content in protobuf_fields(put["value"]):
        if field == 2:
            value = content.decode("utf-8")
        elif field == 3:
            value = (content >> 1) ^ -(content & 1)
        elif field in (1, 4):
            value = None if field == 1 else content != 0
    return put["key"], value


def read_change(entry):
    """What was spoken, and the change of the record in it."""
    spoken = decode(entry["bytes"], SPOKEN)
    require(spoken["version"] == 1 and spoken["kind"] == 1, "not a change")
    change = decode(spoken["body"], CHANGE)
    change["puts"] = [read_put(put) for put in change["puts"]]
    based_on = []
    for base in change["based_on"]:
        base = decode(base, BASED_ON)
        require(len(base["log"]) == 28 and len(base["leaf"]) == 32, "a reference of the wrong length")
        based_on.append(base["log"] + base["seq"].to_bytes(8, "big") + base["leaf"])
    change["based_on"] = based_on
    return spoken, change


# ---- Officers' own signatures over what an entry says: SSHSIG of OpenSSH, in the one form that there is of it here.

NAMESPACE = "wadi-decision@wadi.example"
KIND_OFFICER_KEY = 16


def ssh_string(data):
    return len(data).to_bytes(4, "big") + data


def canonical_json(value):
    """RFC 8785, of what has neither fractions nor keys beyond U+FFFF."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def canonical_members(written):
    """The members of an event that is written as RFC 8785 has it, or None."""
    try:
        value = json.loads(written)
    except ValueError:
        return None
    return value if isinstance(value, dict) and canonical_json(value) == written else None


def signed64(value):
    return value - 2**64 if value >= 2**63 else value


def read_ssh_signature(written):
    """The key and the signature of a blob that is made of them and of nothing else."""
    blob = base64_of(at_most=1024)(written)
    key, signature = blob[33:65], blob[-64:]
    key_blob = ssh_string(b"ssh-ed25519") + ssh_string(key)
    again = (b"SSHSIG" + (1).to_bytes(4, "big") + ssh_string(key_blob) + ssh_string(NAMESPACE.encode()) + ssh_string(b"")
             + ssh_string(b"sha512") + ssh_string(ssh_string(b"ssh-ed25519") + ssh_string(signature)))
    require(again == blob, "another form of a signature")
    fingerprint = "SHA256:" + base64.b64encode(sha256(key_blob).digest()).decode().rstrip("=")
    return key, signature, fingerprint


def officer_statement(entry, spoken, change, others, signed_at_ms):
    """What the officer's key signed: the entry without the signature."""
    node_id, _, lane, crossing = ORIGIN.fullmatch(entry["log"]).groups()
    happened = [signed64(value) for field, value in protobuf_fields(entry["bytes"]) if field == 5]
    require(all(type(value) is not int or abs(value) <= 2**53 for _, value in change["puts"]), "a number beyond 2^53")
    return canonical_json({
        "statement": "wadi-decision/v1", "node": node_id, "crossing": crossing, "lane": lane,
        "record": change["record"].hex(), "based_on": [reference_text(base) for base in change["based_on"]],
        "puts": dict(change["puts"]), "events": others, "officer": spoken["officer"],
        "department": spoken["department"], "device": spoken["device"],
        "happened_at_ms": happened[-1] if happened else None, "happened_source": spoken["happened_source"],
        "signed_at_ms": signed_at_ms}) + "\n"


def reference_text(base):
    log_id, seq, leaf = base[:28], int.from_bytes(base[28:36], "big"), base[36:]
    return (f"wadi.log/v1/{log_id[:16].hex()}/{log_id[16:24].hex()}/{LANES[log_id[24]]}/{log_id[25:].decode()}"
            f"@{seq}:{leaf.hex()}")


def officer_signature(entry, spoken, change, named):
    """Whether the officer's own signature holds, and whether a hub named its key as the officer's; None where there is none."""
    events = [canonical_members(event) for event in change["events"]]
    own = [event for event in events if event and event.get("type") == "decision.signed"]
    if not own:
        return None
    try:
        require(len(own) == 1 and change["record"] and all(event is not None for event in events), "not one signature")
        key, signature, fingerprint = read_ssh_signature(own[0]["signature"])
        others = [event for event in events if event is not own[0]]
        require(others or change["puts"], "it stands over nothing")
        require(type(own[0]["signed_at_ms"]) is int, "no time")
        statement = officer_statement(entry, spoken, change, others, own[0]["signed_at_ms"])
        signed = (b"SSHSIG" + ssh_string(NAMESPACE.encode()) + ssh_string(b"") + ssh_string(b"sha512")
                  + ssh_string(sha512(statement.encode()).digest()))
    except (ValueError, KeyError, TypeError):
        return {"holds": False, "key": None, "named": False}
    try:
        require_signature(key, signature, signed, "the officer")
        holds = True
    except ValueError:
        holds = False
    return {"holds": holds, "key": fingerprint, "named": (spoken["officer"], key) in named}


def keys_named(entries, nodes):
    """Officers and keys that hubs named in control entries of the file."""
    named = set()
    for entry in entries:
        node_id = bytes.fromhex(ORIGIN.fullmatch(entry["log"])[1])
        if entry["role"] != "control" or nodes[node_id].role != ROLE_HUB:
            continue
        spoken = decode(entry["bytes"], SPOKEN)
        if spoken["version"] == 1 and spoken["kind"] == KIND_OFFICER_KEY:
            said = decode(spoken["body"], OFFICER_KEY)
            if not said["taken_back"]:
                named.add((said["officer"], said["key"]))
    return named


# ---- The verifier: the checks in the order of the document, each over the whole file before the next one.


def verify(data, root_key):
    """The record's id and, of each entry of it, the node, what was spoken, what it says, not before and not after;
    or NotValid."""
    with check("malformed"):
        lines = read_lines(data)
        require(lines, "there is no line")

    with check("not_evidence"):
        places = [place for place, (kind, _) in enumerate(lines) if kind == "header"]
        require(places == [0], "the header is not the first line and no other")
        header = lines[0][1]
        require(header["evidence"] == "wadi.evidence/v1", "the header is not of version wadi.evidence/v1")
    with check("cut"):
        places = [place for place, (kind, _) in enumerate(lines) if kind == "seal"]
        require(places == [len(lines) - 1], "the seal is not the last line and no other")
        seal = lines[-1][1]

    with check("changed"):
        require(seal["lines"] == len(lines) - 1, f"the seal is over {seal['lines']} lines, not {len(lines) - 1}")
        seal_starts = data.rindex(b"\n", 0, len(data) - 1) + 1
        require(seal["sha256"] == sha256(memoryview(data)[:seal_starts]).digest(), "the sum of the lines is another")

    nodes = {}
    with check("bad_enrolment"):
        for line, enrolment in lines_of(lines, "enrolment"):
            with at_line(line):
                node_id, node = read_enrolment(line, enrolment, root_key)
                require(node_id not in nodes, "a second enrolment of one node")
                nodes[node_id] = node

    checkpoints = []
    with check("bad_checkpoint"):
        for line, note in lines_of(lines, "checkpoint"):
            with at_line(line):
                checkpoints.append(read_checkpoint(line, note, nodes))

    proven = {}  # by reference: line, entry, and the checkpoints that prove it
    with check("bad_proof"):
        for line, entry in lines_of(lines, "entry"):
            with at_line(line):
                proving = proving_checkpoints(line, entry, checkpoints)
                entry_reference = reference(entry)
                require(entry_reference not in proven, "a second line of one entry")
                proven[entry_reference] = line, entry, proving

    with check("bad_seal"):
        require(seal["by"] == header["by"], "the seal is not by the node of the header")
        signed = b"wadi.evidence/v1\n" + seal["sha256"].hex().encode() + b"\n"
        sealer = enrolled_before(len(lines) - 1, nodes, seal["by"])
        require_signature(sealer.log_key, seal["signature"], signed, "the seal")

    spoken_of = {}  # by reference: what was spoken and the change, of the entries of role record alone
    with check("other_record"):
        firsts = []
        for entry_reference, (line, entry, _) in proven.items():
            if entry["role"] == "record":
                with at_line(line):
                    spoken, change = read_change(entry)
                    require(change["record"] in (b"", header["record"]), "an entry of another record")
                    spoken_of[entry_reference] = spoken, change
                    if not change["record"]:
                        firsts.append(entry_reference)
        require(len(firsts) == 1, f"{len(firsts)} first entries of the record")
        require(sha256(b"wadi.record/v1\n" + firsts[0]).digest() == header["record"], "another record's first entry")

    with check("incomplete"):
        for entry_reference, (_, change) in spoken_of.items():
            with at_line(proven[entry_reference][0]):
                # None can be based on itself: its reference holds the hash of what it is based on.
                require(all(base in spoken_of for base in change["based_on"]), "it builds on an entry that is missing")

    rows = []
    officer_keys = keys_named((entry for _, entry, _ in proven.values()), nodes)
    for entry_reference, (spoken, change) in spoken_of.items():
        _, entry, proving = proven[entry_reference]
        # What its author had signed, with the hub's time that it had heard by then, before the entry stood there.
        before = [at for at in checkpoints if at.origin == entry["log"] and at.size <= entry["seq"]]
        not_after = min((time for checkpoint in proving for time in checkpoint.hub_cosigned), default=None)
        named = (at.hub_time for at in before if at.hub_time is not None)
        # Nobody has heard of a time after the one at which a hub had the entry.
        not_before = max((time for time in named if not_after is None or time <= not_after), default=None)
        name = f"{entry['log']}@{entry['seq']}:{entry_reference[-32:].hex()}"
        said = {"entry": name, "events": change["events"], "puts": dict(change["puts"]), "counts": entry["counts"],
                "officer_signature": officer_signature(entry, spoken, change, officer_keys)}
        rows.append((nodes[entry_reference[:16]], spoken, said, not_before, not_after))
    return header["record"].hex(), rows


def lines_of(lines, kind):
    return [(place, content) for place, (its_kind, content) in enumerate(lines) if its_kind == kind]


# ---- What is printed.


def printable(written):
    """Nothing that a file says may steer the terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in written)


def time_text(seconds, milliseconds=None):
    if seconds is None:
        return "-"
    try:
        time = datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return f"{seconds} s"  # behind the year 9999: it is a claim, and shown as it stands
    return time + ("Z" if milliseconds is None else f".{milliseconds:03d}Z")


def says_text(said):
    """Events with their members, values by field, and whether it counts."""
    words = list(said["events"]) + [f"{field} = {json.dumps(value)}" for field, value in said["puts"].items()]
    signature = said["officer_signature"]
    if signature and signature["holds"]:
        named = "" if signature["named"] else ", which no hub names here"
        words.append(f"signed by the officer's own key {signature['key']}{named}")
    elif signature:
        words.append("THE OFFICER'S OWN SIGNATURE DOES NOT HOLD")
    if not said["counts"]:
        words.append("DOES NOT COUNT: in quarantine")
    return printable("; ".join(words))


def print_table(rows):
    table = [("NODE", "OFFICER", "DEPARTMENT", "DEVICE", "CLAIMED TIME", "NOT BEFORE", "NOT AFTER", "WITNESSED", "SAYS")]
    for node, spoken, words, not_before, not_after in rows:
        said = [printable(words) for words in (node.name, spoken["officer"], spoken["department"], spoken["device"])]
        table.append((*said, time_text(spoken["wall_ms"] // 1000, spoken["wall_ms"] % 1000), time_text(not_before),
                      time_text(not_after), "no" if not_after is None else "yes", says_text(words)))
    widths = [max(map(len, column)) for column in zip(*table)]
    for cells in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(cells, widths)).rstrip())


def read_root(path):
    with open(path, encoding="ascii") as file:
        digits = file.read(100).strip()
    require(re.fullmatch("[0-9a-fA-F]{64}", digits), "not 64 hexadecimal digits")
    return bytes.fromhex(digits)


def main():
    parser = argparse.ArgumentParser(description="Verifies a file of evidence, as docs/evidence.md says.")
    parser.add_argument("file")
    parser.add_argument("--root", required=True, help="the commission's root key: a file of 64 hexadecimal digits")
    parser.add_argument("--json", action="store_true", help="print the result as one JSON object")
    arguments = parser.parse_args()
    sys.stdout.reconfigure(encoding="utf-8")
    try:
        root_key = read_root(arguments.root)
    except (OSError, ValueError) as problem:
        parser.error(f"{arguments.root}: {problem}")
    try:
        with open(arguments.file, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as problem:
        parser.error(f"{arguments.file}: {problem}")

    try:
        record, rows = verify(data, root_key)
    except NotValid as verdict:
        why = printable(verdict.why)
        if arguments.json:
            print(json.dumps({"valid": False, "code": verdict.code, "why": why}, separators=(",", ":")))
        else:
            print(f"NOT VALID: {verdict.code}: {why}")
        return 4
    witnessed = sum(not_after is not None for *_, not_after in rows)
    if arguments.json:
        statements = [said for _, _, said, _, _ in rows]
        result = {"valid": True, "record": record, "entries": len(rows), "witnessed": witnessed,
                  "statements": statements}
        print(json.dumps(result, separators=(",", ":")))
    else:
        print_table(rows)
        print(f"VALID: record {record}, {len(rows)} entries, {witnessed} witnessed")
    return 0


if __name__ == "__main__":
    sys.exit(main())
