#!/usr/bin/env python3
"""A truck through a gate, with a client that was generated from the API's description.

    client_story.py CLIENT_DIRECTORY URL TOKEN

Writes a passage twice under one key, reads it back and lists it; then asks for a record that there
is none of. Ends with 1 where anything is not as the description promises.
"""

import importlib
import sys

directory, url, token = sys.argv[1:]
sys.path.insert(0, directory)

client_of = importlib.import_module("wadi_client").AuthenticatedClient
models = importlib.import_module("wadi_client.models")
create = importlib.import_module("wadi_client.api.records.records_create")
show = importlib.import_module("wadi_client.api.records.records_show")
listing = importlib.import_module("wadi_client.api.records.records_list")

client = client_of(base_url=url, token=token)
draft = models.DraftBody.from_dict(
    {
        "kind": "passage",
        "fields": {"direction": "in", "vehicle.plate": "11A00042"},
        "events": [{"type": "gate.in", "gate": "G1", "read": "ANPR-1"}],
        "officer": "OF-1",
        "department": "PORT",
    }
)

first = create.sync(client=client, body=draft, idempotency_key="truck-42")
again = create.sync(client=client, body=draft, idempotency_key="truck-42")
assert isinstance(first, models.WrittenAnswer), first
assert (first.repeated, again.repeated) == (False, True), (first, again)
assert first.state == "ADMITTED", first

record = show.sync(first.id, client=client)
assert isinstance(record, models.RecordAnswer), record
assert record.fields["vehicle.plate"] == "11A00042", record

page = listing.sync(client=client, kind="passage", state="ADMITTED")
assert [r.record for r in page.records] == [first.record], page

missing = show.sync("TRB-P-0000000000000", client=client)
assert isinstance(missing, models.Problem), missing
print(first.id)
