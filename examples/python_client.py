#!/usr/bin/env python3
"""One truck through a crossing by the HTTP API, with Python's standard library alone.

    examples/python_client.py DIRECTORY [--crossing TRB] [--export FILE]

DIRECTORY is a node's: its node.toml names the API's address, its operator.token lets in. The hub has to have registered
the crossing's officers (see examples/README.md). `Client` is what a program of your own would take over.
"""

import argparse
import json
import pathlib
import random
import sys
import time
import tomllib
import urllib.error
import urllib.parse
import urllib.request
import uuid

TRIES_MAX = 5


class Problem(Exception):
    """An answer that is no success: a problem as RFC 9457 has it, with a stable code."""

    def __init__(self, status, body):
        super().__init__(f"{body.get('detail') or body.get('title') or status} [{body.get('code', status)}]")
        self.status = status
        self.code = body.get("code")


class Client:
    """A node's API under one token."""

    def __init__(self, url, token, timeout_s=30):
        self.url, self.token, self.timeout_s = url, token, timeout_s

    @classmethod
    def of_directory(cls, directory):
        """The node of this machine whose directory this is, as its operator."""
        directory = pathlib.Path(directory)
        config = tomllib.loads((directory / "node.toml").read_text())
        scheme = "https" if config.get("http_tls") else "http"
        return cls(f"{scheme}://{config['http']}", (directory / "operator.token").read_text().strip())

    def get(self, path, **query):
        """Reads; `query` filters."""
        if query:
            path += "?" + urllib.parse.urlencode(query)
        return self._send(urllib.request.Request(self.url + path))

    def post(self, path, body):
        """Writes once. The key is drawn before the first try, so that what is sent again is the same write."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
        data = json.dumps(body).encode()
        for left in reversed(range(TRIES_MAX)):
            try:
                return self._send(urllib.request.Request(self.url + path, data, headers))
            except Problem as problem:
                # Busy, or short of room: nothing was written. Every other problem is for whoever wrote the body.
                if problem.status not in (503, 507) or not left:
                    raise
            except OSError:
                # Nobody knows whether it arrived: the key makes sending it again harmless.
                if not left:
                    raise
            time.sleep(1)

    def records(self, **query):
        """Every record that a filter lets through, exactly once, however many change meanwhile."""
        after = "0" * 64
        while page := self.get("/v1/records", limit=100, after=after, **query)["records"]:
            yield from page
            after = page[-1]["record"]

    def _send(self, request):
        request.add_header("Authorization", f"Bearer {self.token}")
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            try:
                body = json.loads(text)
            except ValueError:
                body = {"detail": text}
            raise Problem(error.code, body) from None


class Officer:
    """Somebody of a department, and what they say."""

    def __init__(self, client, officer, department):
        self.client, self.who = client, {"officer": officer, "department": department}

    def begin(self, kind, fields, *events):
        """Begins a record; what the node answers: its printed id, its state, its flags."""
        body = {"kind": kind, "fields": fields, "events": list(events), **self.who}
        return self.client.post("/v1/records", body)

    def say(self, record, kind, **members):
        """Says one event on a record."""
        body = {"events": [{"type": kind, **members}], **self.who}
        return self.client.post(f"/v1/records/{record}/events", body)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--crossing", default="TRB")
    parser.add_argument("--export", default="-", help="the file that records are written to, a line each")
    args = parser.parse_args()

    client = Client.of_directory(args.directory)
    gate = Officer(client, f"{args.crossing}-gate-1", "PORT")
    vet = Officer(client, f"{args.crossing}-vet-1", "VET")

    plate = f"22-B-{random.randrange(10000, 100000)}"
    truck = gate.begin("passage", {"direction": "in", "purpose": "goods", "vehicle.plate_raw": plate})["id"]
    print(f"{truck}: {plate} is announced")

    came = gate.say(truck, "gate.in", gate="G1", read="ANPR-17")
    print(f"{truck}: {came['state']}")

    hold = vet.begin(
        "hold",
        {"type": "VETERINARY", "legal_basis": "Law 76/2012"},
        {"type": "hold.placed", "type_of_hold": "VETERINARY", "legal_basis": "Law 76/2012", "reason": "sampling"},
        {"type": "link", "record": truck, "why": "cargo"},
        {"type": "sample.taken", "sample": "S1", "test": "residues"},
    )["id"]
    print(f"{hold}: placed; detained are {[record['id'] for record in client.records(state='DETAINED')]}")

    # No release without a result that somebody else than its author attests.
    second = f"{args.crossing}-vet-2"
    result = {"sample": "S1", "result": "no residues", "outcome": "satisfactory"}
    vet.say(hold, "result.issued", **result, attested_by=second, attester_department="VET")

    # A release names the events that placed what it releases, and a second officer.
    placed = client.get(f"/v1/records/{hold}")["open_holds"]
    freed = vet.say(hold, "released", holds=placed, second_officer=second)
    print(f"{hold}: {freed['state']}")

    gate.say(truck, "cleared")
    left = gate.say(truck, "gate.out", gate="G4", read="ANPR-21")
    print(f"{truck}: {left['state']}")

    # What may not be said is told by its code, and leaves no trace.
    try:
        gate.say(truck, "gate.inn", gate="G1", read="ANPR-17")
    except Problem as problem:
        print(f"{truck}: refused: {problem}")

    lines = [json.dumps(record, ensure_ascii=False) for record in client.records()]
    if args.export == "-":
        print(f"{len(lines)} records")
    else:
        pathlib.Path(args.export).write_text("".join(line + "\n" for line in lines), encoding="utf-8")
        print(f"{len(lines)} records in {args.export}")


if __name__ == "__main__":
    try:
        main()
    except Problem as problem:
        sys.exit(f"refused: {problem}")
