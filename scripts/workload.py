#!/usr/bin/env python3
"""The common workload: what a crossing and the hub do while the link between them is down.

    scripts/workload.py --out DIR [--n 10000] [--site-ops 2000] [--hub-ops 200] [--overlap 20] [--seed 1]

Writes three files of JSON lines (UTF-8, compact) and a summary. Same arguments, same bytes.

    base.jsonl      {"id": .., "plate": .., ..}                n records that both hold before the outage
    site_ops.jsonl  {"op": "new", "id": .., "set": {..}}       half of the site's operations: new records
                    {"op": "set", "id": .., "set": {..}}       the other half: one to three fields of base records
    hub_ops.jsonl   {"op": "set", "id": .., "set": {..}}       one field each; `overlap` of them on a record and a field
                                                               that the site changes, too
    summary.json    rows and bytes of each

`wadi bench link --workload DIR` imports it into two nodes and measures their link; any other system can take it, too.
"""

import argparse
import json
import os
import random
import string
from datetime import datetime, timedelta, timezone

START = datetime(2026, 3, 1, 5, 0, 0, tzinfo=timezone.utc)

COUNTRIES = "JO SA IQ SY LB EG TR AE KW QA OM BH CN DE IN IT".split()
CONTAINER_OWNERS = "MSCU MAEU CMAU HLXU TGHU OOLU TCLU SUDU".split()
HS_CODES = (
    "0207.14 0803.90 1006.30 1511.90 2523.29 2710.19 3004.90 3923.21 4011.20 4819.10 "
    "6109.10 7214.20 8415.10 8471.30 8517.13 8703.23 8708.99 9403.60"
).split()
STATUSES = "declared queued weighed scanned inspected held cleared released".split()
PLATE_LETTERS = "ابتجحدرسصطعفقكلمنهوي"
ENGLISH_NOTES = (
    "driver seal broken replaced at gate papers incomplete awaiting vet check refrigerated load temperature ok "
    "weighbridge recalibrated second scan requested manifest amended by agent tyres goods match invoice no remarks "
    "partial unloading transit bond verified escort required axle overload"
).split()
ARABIC_NOTES = (
    "السائق الختم مكسور استبدل عند البوابة الأوراق ناقصة بانتظار الفحص البيطري حمولة مبردة الحرارة جيدة الميزان "
    "أعيد طلب مسح ثان تعديل البيان وكيل التخليص البضاعة مطابقة للفاتورة لا ملاحظات تفريغ جزئي ترانزيت مرافقة حمولة زائدة"
).split()

# The order of fields is the order of draws: both are part of the workload.
FIELDS = (
    "plate plate_cc container hs origin dest direction gross_kg tare_kg seal arrived_at cleared_at officer lane status "
    "note"
).split()
OFTEN_MISSING = ["container", "seal", "note"]
EDITABLE = "status cleared_at gross_kg tare_kg lane officer seal hs note".split()


def utc(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def container_check_digit(body):
    """The check digit of ISO 6346: letters count 10 to 38 without the multiples of 11, positions count powers of two."""
    letter_values = [v for v in range(10, 39) if v % 11]
    value_of = dict(zip(string.ascii_uppercase, letter_values)) | {d: int(d) for d in string.digits}
    total = sum(value_of[c] << position for position, c in enumerate(body))
    return total % 11 % 10


class Draws:
    """All that is drawn by chance, out of one seed."""

    def __init__(self, seed, n):
        self.rng = random.Random(f"W/{seed}/{n}")

    def container(self):
        body = self.rng.choice(CONTAINER_OWNERS) + f"{self.rng.randrange(10**6):06d}"
        return body + str(container_check_digit(body))

    def plate(self):
        if self.rng.random() < 0.35:
            number = self.rng.randrange(1000, 10000)
            return f"{number} " + "".join(self.rng.choice(PLATE_LETTERS) for _ in range(3))
        return f"{self.rng.randrange(10, 100):02d}-{self.rng.randrange(10**5):05d}"

    def note(self):
        """Words up to a length of at most 60 characters."""
        length_max = self.rng.randrange(0, 61)
        words = self.rng.choice((ARABIC_NOTES, ENGLISH_NOTES))
        text = ""
        while True:
            word = self.rng.choice(words)
            if len(text) + len(word) + 1 > length_max:
                return text
            text = f"{text} {word}" if text else word

    def value(self, field, time):
        match field:
            case "plate":
                return self.plate()
            case "plate_cc" | "origin" | "dest":
                return self.rng.choice(COUNTRIES)
            case "container":
                return self.container()
            case "hs":
                return self.rng.choice(HS_CODES)
            case "gross_kg":
                return self.rng.randrange(9000, 44000, 20)
            case "tare_kg":
                return self.rng.randrange(7000, 16000, 20)
            case "seal":
                return f"JO{self.rng.randrange(10**7):07d}"
            case "arrived_at":
                return utc(time)
            case "cleared_at":
                return utc(time + timedelta(seconds=self.rng.randrange(600, 14400)))
            case "officer":
                return f"OF-{self.rng.randrange(120):04d}"
            case "lane":
                return self.rng.randrange(1, 13)
            case "status":
                return self.rng.choice(STATUSES)
            case "direction":
                return self.rng.choice(("in", "out"))
            case "note":
                return self.note()
        raise KeyError(field)

    def record(self, time):
        """12 to 15 fields; some records have not been cleared yet."""
        missing = set(self.rng.sample(OFTEN_MISSING, self.rng.choice((1, 1, 1, 2, 3))))
        if self.rng.random() < 0.15:
            missing.add("cleared_at")
        return {field: self.value(field, time) for field in FIELDS if field not in missing}

    def id(self, time):
        """The sender's key: 40 bits of seconds and 40 of chance, in hexadecimal, so that keys sort by time."""
        return f"{int(time.timestamp()):010x}{self.rng.getrandbits(40):010x}"

    def edit(self, record_id, fields, time):
        return {"op": "set", "id": record_id, "set": {field: self.value(field, time) for field in fields}}


def base_records(draws, n):
    """Records and the time of the last one."""
    records, time = [], START
    for _ in range(n):
        time += timedelta(seconds=draws.rng.randrange(5, 90))
        records.append({"id": draws.id(time), **draws.record(time)})
    return records, time


def site_operations(draws, base, count, time):
    """Half new records, half edits, in any order; and the time of the last one."""
    kinds = ["new"] * (count // 2) + ["set"] * (count - count // 2)
    draws.rng.shuffle(kinds)
    operations = []
    for kind in kinds:
        time += timedelta(seconds=draws.rng.randrange(2, 40))
        if kind == "new":
            operations.append({"op": "new", "id": draws.id(time), "set": draws.record(time)})
        else:
            fields = draws.rng.sample(EDITABLE, draws.rng.randrange(1, 4))
            record_id = draws.rng.choice(base)["id"]
            operations.append(draws.edit(record_id, fields, time))
    return operations, time


def hub_operations(draws, base, site, count, overlap, time):
    """Edits of single fields: `overlap` of them where the site edits as well, the others where it does not."""
    edits = [operation for operation in site if operation["op"] == "set"]
    edited = {operation["id"] for operation in edits}
    operations = []
    for operation in draws.rng.sample(edits, overlap):
        field = draws.rng.choice(sorted(operation["set"]))
        operations.append(draws.edit(operation["id"], [field], time))

    used = set()
    while len(operations) < count:
        record_id = draws.rng.choice(base)["id"]
        if record_id in edited or record_id in used:
            continue
        used.add(record_id)
        operations.append(draws.edit(record_id, [draws.rng.choice(EDITABLE)], time))
    draws.rng.shuffle(operations)
    return operations


def write_lines(path, rows):
    """Writes JSON lines; returns their number and bytes."""
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    data = "".join(line + "\n" for line in lines).encode()
    with open(path, "wb") as file:
        file.write(data)
    return {"rows": len(rows), "bytes": len(data), "mean": round(len(data) / max(1, len(rows)), 1)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", required=True)
    parser.add_argument("--n", type=int, default=10000)
    parser.add_argument("--site-ops", type=int, default=2000)
    parser.add_argument("--hub-ops", type=int, default=200)
    parser.add_argument("--overlap", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    draws = Draws(args.seed, args.n)
    base, time = base_records(draws, args.n)
    site, time = site_operations(draws, base, args.site_ops, time)
    hub = hub_operations(draws, base, site, args.hub_ops, args.overlap, time)

    os.makedirs(args.out, exist_ok=True)
    summary = {"seed": args.seed, "n": args.n}
    for name, rows in (("base", base), ("site_ops", site), ("hub_ops", hub)):
        summary[name] = write_lines(os.path.join(args.out, name + ".jsonl"), rows)
    with open(os.path.join(args.out, "summary.json"), "w") as file:
        json.dump(summary, file, indent=1)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
