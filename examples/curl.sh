#!/usr/bin/env bash
# One truck through a crossing by the HTTP API, with curl alone: it is announced, comes through the gate, is held, is released, leaves, and
# everything said of it is exported.
#
#   examples/curl.sh DIRECTORY      a node's directory: its node.toml names the API's address, its operator.token lets in
#
# CROSSING names the officers: the hub has to have registered them (see examples/README.md).
set -euo pipefail

dir="${1:?usage: examples/curl.sh DIRECTORY}"
crossing="${CROSSING:-TRB}"
url="http://$(sed -n 's/^http *= *"\(.*\)"/\1/p' "$dir/node.toml")"
token="$(cat "$dir/operator.token")"
run="$$-$(date +%s)"

# What every request has in common. An answer that is no success is shown and ends the script.
request() {
  curl --silent --show-error --fail-with-body --write-out '\n' --header "Authorization: Bearer $token" "$@"
}

# A write. Its key makes it one write, however often a broken connection has it sent.
post() { # KEY PATH BODY
  request --header "Content-Type: application/json" --header "Idempotency-Key: $run-$1" --data "$3" "$url$2"
}

# A member of an answer, which is one line of JSON; of a list, what it begins with.
member() { # NAME
  sed -n 's/.*"'"$1"'":\[\{0,1\}"\([^"]*\)".*/\1/p'
}

echo "== A truck is announced"
answer="$(post announced /v1/records '{
  "kind": "passage", "officer": "'"$crossing"'-gate-1", "department": "PORT",
  "fields": {"direction": "in", "purpose": "goods", "vehicle.plate_raw": "11-A-'"$((RANDOM % 90000 + 10000))"'"}
}')"
echo "$answer"
truck="$(member id <<<"$answer")"

echo "== It comes through the gate"
post gate-in "/v1/records/$truck/events" '{
  "officer": "'"$crossing"'-gate-1", "department": "PORT",
  "events": [{"type": "gate.in", "gate": "G1", "read": "ANPR-17"}]
}'

echo "== The veterinary officer holds its cargo"
answer="$(post held /v1/records '{
  "kind": "hold", "officer": "'"$crossing"'-vet-1", "department": "VET",
  "fields": {"type": "VETERINARY", "legal_basis": "Law 76/2012"},
  "events": [
    {"type": "hold.placed", "type_of_hold": "VETERINARY", "legal_basis": "Law 76/2012", "reason": "sampling"},
    {"type": "link", "record": "'"$truck"'", "why": "cargo"},
    {"type": "sample.taken", "sample": "S1", "test": "residues"}
  ]
}')"
echo "$answer"
hold="$(member id <<<"$answer")"
# A release names the events that placed what it releases.
placed="$(request "$url/v1/records/$hold" | member open_holds)"

echo "== What is detained now"
request "$url/v1/records?state=DETAINED&limit=5"

echo "== The laboratory's result, which somebody else than its author attests; no release without it"
post result "/v1/records/$hold/events" '{
  "officer": "'"$crossing"'-vet-1", "department": "VET",
  "events": [{
    "type": "result.issued", "sample": "S1", "result": "no residues", "outcome": "satisfactory",
    "attested_by": "'"$crossing"'-vet-2", "attester_department": "VET"
  }]
}'

echo "== The hold is released: two officers, neither of whom stands for the other"
post release "/v1/records/$hold/events" '{
  "officer": "'"$crossing"'-vet-1", "department": "VET",
  "events": [{"type": "released", "holds": ["'"$placed"'"], "second_officer": "'"$crossing"'-vet-2"}]
}'

echo "== The truck is cleared and leaves"
post cleared "/v1/records/$truck/events" '{
  "officer": "'"$crossing"'-gate-1", "department": "PORT", "events": [{"type": "cleared"}]
}'
post gate-out "/v1/records/$truck/events" '{
  "officer": "'"$crossing"'-gate-1", "department": "PORT",
  "events": [{"type": "gate.out", "gate": "G4", "read": "ANPR-21"}]
}'

echo "== Everything that was said of it: who, when, and where it is safe"
request "$url/v1/records/$truck/history"

echo "== All records, in the order of their ids, page by page: an export"
after="$(printf '0%.0s' {1..64})"
exported=0
while :; do
  page="$(request "$url/v1/records?limit=100&after=$after")"
  # An event that names another record has a member of the same name: what follows tells them apart.
  ids="$(grep -o '"record":"[0-9a-f]\{64\}","refused"' <<<"$page" | cut -d'"' -f4 || true)"
  [ -n "$ids" ] || break
  exported=$((exported + $(wc -l <<<"$ids")))
  after="$(tail -n 1 <<<"$ids")"
done

echo "$exported records exported"
echo "$truck came in, was held, was released and left"
