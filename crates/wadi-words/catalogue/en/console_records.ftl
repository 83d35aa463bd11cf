# The console's pages: records, searched and read, with their histories and proofs.

console-records-title = Records
console-records-q = Plate, container, reference, record id, or document hash
console-records-q-help = In Arabic or Latin letters and digits, with or without spaces and hyphens. Of a record id its beginning is enough, as TRB-P-1NA.
console-records-seek = Search
console-records-filters = Filters
console-records-kind = Kind of record
console-records-crossing = Crossing
console-records-state = State or flag
console-records-department = Holds of department
console-records-hold-type = Type of hold
console-records-from = Begun from
console-records-until = to
console-records-known = As it was known here at
console-records-held = Held by an open hold
console-records-contested = With contested values
console-records-any = any
console-records-apply = Apply
console-records-clear = Clear all
console-records-unread-day = A day does not read: it is written as 2026-03-01. The list is shown without it.
console-records-unread-known = The time does not read: it is written as 2026-03-01T14:00. The list is shown as it stands now.
console-records-understood = Searched for:
console-records-search-withheld = This looks like a document's hash. Travellers are found by their documents only by those whose work needs it; your sign-in does not read them.
console-records-as-plate = plate
console-records-as-container = container
console-records-as-seal = seal
console-records-as-vin = vehicle number
console-records-as-declarant_ref = declarant's reference
console-records-as-receipt = receipt for duty
console-records-as-registration = registration of a declaration
console-records-as-transit = transit document
console-records-as-certificate = certificate
console-records-as-document = document of a traveller
console-records-as-plate_shape = plates that look like it
console-records-as-was = value that was changed since
console-records-as-id = record id
console-records-as-names = this record names it
console-records-as-named_by = it names this record
console-records-or = or
console-records-and = and
console-records-known-of = As this node knew it at
console-records-known-what = State and fields are those of that time. Kind, crossing and what was searched for are taken as they stand today; what was detained then is not told by lists. This address gives the same list again.
console-records-known-left-out = { $n ->
    [one] One record of this page was not known then, or had another state.
   *[other] { $n } records of this page were not known then, or had another state.
}
console-records-none-title = Nothing found
console-records-none-here = Nothing on this page matches. There are older records: go on.
console-records-none-text = No record that this node holds matches. What to try:
console-records-none-near = Search for plates that are easily taken for it (0 and O, 1 and I, 5 and S, 8 and B)
console-records-none-filters = Search for the same without filters
console-records-none-part = Search for the container, the seal or the declaration instead of the plate
console-records-none-later = Look at the sites: what a crossing has not sent yet is not here
console-records-count = { $n ->
    [one] One record
   *[other] { $n } records
}
console-records-count-more = The first { $n }; there are more.
console-records-many = Very many may match: narrow the search by a crossing, a day or a state.
console-records-col-record = Record
console-records-col-about = About
console-records-col-crossing = Crossing
console-records-col-state = State
console-records-col-begun = Begun
console-records-col-last = Last event
console-records-col-shared = What they share
console-records-contested-short = contested
console-records-pages = Pages
console-records-first = To the first page
console-records-next = Next { $n }
console-records-files = This list as a file (2,000 records at most; one that is cut says so):
console-records-keep = Address of this list as it is known now
console-records-tabs = Pages of this record
console-records-tab-record = Record
console-records-tab-history = History
console-records-tab-fields = Who set what
console-records-tab-proof = Verify now
console-records-tab-evidence = Download evidence
console-records-withheld-title = Some of it is not shown to you
console-records-withheld-text = Who travellers are, and what lookouts seek, is read by those whose work needs it. Nothing is missing from the record. Not shown:
console-records-begun = begun
console-records-last = last event
console-records-local_only = kept on this node alone so far
console-records-carried = kept by another node, too, not yet at the hub
console-records-at_hub = safe at the hub
console-records-as-of = The record as of an entry
console-records-as-of-text = As somebody saw it who had seen that entry and what it builds on. What holds held it then is not shown.
console-records-as-of-choose = Entry
console-records-as-of-show = Show
console-records-as-of-this = Record as of here
console-records-step-earlier = Entry before
console-records-step-later = Entry after
console-records-to-now = As it stands now
console-records-known-record = The record as this node knew it at
console-records-known-record-text = Of the entries that it had taken in by then.
console-records-why = Why it stands as it does
console-records-why-held = Held: { $hold }, by { $who }
console-records-why-held-unread = Held, by a hold of a type that you do not read
console-records-hold-unknown = a type of hold that this version does not know
console-records-by-machine = a machine
console-records-the-hold = hold
console-records-through = through the record
console-records-since = since
console-records-why-unfounded = { $event }, without: { $lacks }
console-records-lack-assessment = an assessment
console-records-lack-declared-goods = goods declared with code, mass and value
console-records-lack-registration = a registration
console-records-lack-reason-to-lower = a supervisor’s reason to assess less than before
console-records-lack-reason-below-items = a supervisor’s reason to assess less than the items say
console-records-lack-settled-fields = settled fields
console-records-lack-answer = an answer to the query
console-records-lack-release = a release
console-records-lack-clearance = a clearance
console-records-lack-closed-check = the closing of the check
console-records-lack-check-of-an-anomaly = a look into the anomaly
console-records-why-contested = { $n ->
    [one] One field holds values that contradict each other
   *[other] { $n } fields hold values that contradict each other
}
console-records-why-refused = { $n ->
    [one] One entry does not count: its author had no right to it
   *[other] { $n } entries do not count: their authors had no right to them
}
console-records-why-refused-fields = { $n ->
    [one] One value was put without the right to, and does not count
   *[other] { $n } values were put without the right to, and do not count
}
console-records-why-changed = { $n ->
    [one] One value was changed after something rested on it
   *[other] { $n } values were changed after something rested on them
}
console-records-why-after-assessment = { $n ->
    [one] One legal field was set after the assessment
   *[other] { $n } legal fields were set after the assessment
}
console-records-why-waiting = { $n ->
    [one] One entry waits for others that are not here yet
   *[other] { $n } entries wait for others that are not here yet
}
console-records-why-reversals = { $n ->
    [one] One entry claims an earlier time than what it builds on
   *[other] { $n } entries claim earlier times than what they build on
}
console-records-why-warning = It looks wrong:
console-records-group-vehicle = Vehicle
console-records-group-load = Load
console-records-group-persons = Travellers
console-records-group-papers = Papers
console-records-group-hold = Hold
console-records-group-journey = Journey and the rest
console-records-refused-fields = Values that do not count
console-records-changed-after = Changed after something rested on it
console-records-more = … and { $n } more
console-records-weighings = Weighings: gross, and the empty vehicle in front
console-records-custody = The hold's course
console-records-hold-open = open
console-records-hold-ended = ended
console-records-hold-again = open again since
console-records-events = What happened
console-records-no-events = No events are recorded.
console-records-events-left-out = { $n ->
    [one] One earlier event stands in the history
   *[other] { $n } earlier events stand in the history
}
console-records-no-count = does not count
console-records-quarantined = kept apart: it was said past a cut, or on another branch of the log
console-records-findings = Findings about it
console-records-related = Records that belong with it
console-records-related-cut = There are more: search by what they share.
console-records-document = The whole document with every change (Automerge)
console-records-history-count = { $n ->
    [one] One entry.
   *[other] { $n } entries, each below those that it builds on.
}
console-records-history-branches = Where lanes part, people wrote without having seen each other's entries.
console-records-col-lanes = Lanes
console-records-col-said = What was said, and by whom
console-records-col-when = When
console-records-col-what = What
console-records-col-place = Where
console-records-temperatures = Temperatures
console-records-moves = Where goods and vehicle waited
console-records-knew = What its author could have known
console-records-knew-all = Every entry of the record that others had made by then was on the screen.
console-records-knew-not = Made by others and not on the screen: entries
console-records-knew-hold = had arrived at this author's node
console-records-knew-claimed-hold = had arrived, as this author's node says; nothing held here bears that out
console-records-knew-no-hold = had not arrived at this author's node
console-records-more-of-entry = Received, witnessed, based on
console-records-signed = signed by the officer's own key { $key }
console-records-unsigned = not signed by the officer
console-records-badly-signed = the officer's own signature does not hold
console-records-received = Received here
console-records-witnessed = Witnessed by
console-records-nobody-yet = nobody yet
console-records-safety = Kept
console-records-not-before = Not before, by the hub's time
console-records-not-after = Not after, by the hub's time
console-records-based-on = Builds on
console-records-history-earlier = Earlier entries
console-records-history-later = Later entries
console-records-later-minutes = { $n ->
    [one] entered one minute later
   *[other] entered { $n } minutes later
}
console-records-later-hours = { $n ->
    [one] entered one hour later
   *[other] entered { $n } hours later
}
console-records-later-days = { $n ->
    [one] entered one day later
   *[other] entered { $n } days later
}
console-records-clock-behind = clock { $n } min behind the hub's word
console-records-clock-ahead = clock { $n } min ahead of the hub's word
console-records-no-fields = No fields were ever set.
console-records-col-field = Field
console-records-col-value = Value
console-records-col-by = By
console-records-col-entry = Entry
console-records-setting-stands = stands
console-records-setting-contested = contested
console-records-setting-replaced = replaced
console-records-setting-refused = not accepted
console-records-proof-title = Proof of { $id }
console-records-proof-holds = The proof holds
console-records-proof-fails = The proof fails
console-records-proof-valid = Entries of the record: { $n }, of which a hub vouches for { $hub }. Proofs that a log was forked: { $forks }.
console-records-proof-invalid = A step failed. Do not rest anything on this file; tell whoever operates this node.
console-records-proof-passed = passed
console-records-proof-failed = failed
console-records-proof-not_reached = not reached
console-records-proof-read = The file reads
console-records-proof-read-text = { $n } bytes in the form of evidence that this version knows.
console-records-proof-whole = Nothing is missing or changed
console-records-proof-whole-text = { $n } lines are exactly those that were sealed.
console-records-proof-members = Those who signed are members
console-records-proof-members-text = { $n } enrolments, each signed by the commission's root.
console-records-proof-checkpoints = Their logs were fixed at a time
console-records-proof-checkpoints-text = { $n } signed heads of logs; the hubs' cosignatures on them are genuine.
console-records-proof-entries = Each entry stands in its log
console-records-proof-entries-text = { $n } entries, each proven by its path to a signed head: none was put in, taken out or altered afterwards.
console-records-proof-seal = Whoever made the file signed it
console-records-proof-seal-text = The maker is a member, and its signature over the whole file is genuine.
console-records-proof-record = All of it is about this record
console-records-proof-record-text = Every entry speaks of this record, and one of them begins it.
console-records-proof-complete = Nothing that it builds on is left out
console-records-proof-complete-text = No entry builds on one that is not in the file.
console-records-proof-bytes = { $n } bytes were made and checked just now.
console-records-proof-made-by = Made by
console-records-proof-self = Check it yourself
console-records-proof-self-text = The file proves itself against the commission's root alone, on any machine and without this network:
console-records-nothing = nothing
console-records-yes = yes
console-records-no = no
console-records-event-unread = An event that does not read
console-records-word-in = in
console-records-word-out = out
console-records-word-goods = goods
console-records-word-passengers = passengers
console-records-word-empty = empty
console-records-word-passed = passed
console-records-word-failed = failed
console-records-word-satisfactory = satisfactory
console-records-word-unsatisfactory = unsatisfactory
console-records-word-inconclusive = inconclusive
console-records-word-arrived = arrived
console-records-word-departed = departed
console-records-unit-kg = kg
console-records-unit-g = g
console-records-unit-bytes = bytes
console-records-unit-l = l
console-records-unit-min = min
console-records-unit-celsius = °C
console-records-unit-usvh = µSv/h
console-records-unit-minor = minor units
console-records-member-reason = reason
console-records-member-packages = packages
console-records-member-attester_department = attester's department
console-records-member-attested_by = attested by
console-records-member-finding = finding
console-records-member-slot = slot
console-records-member-sample = sample
console-records-member-result = result
console-records-member-lane = lane
console-records-member-gate = gate
console-records-member-device_seq = device's number
console-records-member-temp_c = temperature
console-records-member-seals = seals
console-records-member-order = order
console-records-member-method = method
console-records-member-mass_g = mass
console-records-member-holds = holds
console-records-member-evidence = evidence
console-records-member-direction = direction
console-records-member-device = device
console-records-member-until = until
console-records-member-token = token
console-records-member-to = to
console-records-member-text = text
console-records-member-test = test
console-records-member-subject = subject
console-records-member-source = source
console-records-member-seizure_no = seizure no.
console-records-member-second_officer = second officer
console-records-member-signature = signature
console-records-member-signed_at_ms = signed at
console-records-member-seal_before = seal before
console-records-member-read = read by
console-records-member-quantity = quantity
console-records-member-place = place
console-records-member-outcome = outcome
console-records-member-officer = officer
console-records-member-link = link
console-records-member-lab = laboratory
console-records-member-handler = handler
console-records-member-due_at = due
console-records-member-dog = dog
console-records-member-document_hash = document's hash
console-records-member-department = department
console-records-member-currency = currency
console-records-member-component = component
console-records-member-check = check
console-records-member-bay = bay
console-records-member-battery_minutes = battery
console-records-member-witness = witness
console-records-member-why = why
console-records-member-what = what
console-records-member-weighing = weighing
console-records-member-visa = visa
console-records-member-version = version
console-records-member-undoes = undoes
console-records-member-type_of_hold = type of hold
console-records-member-to_plate = to plate
console-records-member-ticket = ticket
console-records-member-target = target
console-records-member-tare_kg = tare
console-records-member-status = status
console-records-member-states = states
console-records-member-secondary = secondary check
console-records-member-seal_after = seal after
console-records-member-scope = scope
console-records-member-scale = scale
console-records-member-sentence = sentence
console-records-member-rule = rule
console-records-member-resolution = resolution
console-records-member-release_no = release no.
console-records-member-registration_no = registration no.
console-records-member-record = record
console-records-member-receipt = receipt
console-records-member-question = question
console-records-member-query = query
console-records-member-protocol = protocol
console-records-member-proposal = proposal
console-records-member-plate_raw = plate as read
console-records-member-plate = plate
console-records-member-plant = plant
console-records-member-phase = phase
console-records-member-passage = passage
console-records-member-operator = operator
console-records-member-occupancy = occupancy
console-records-member-neutron = neutron reading
console-records-member-net_kg = net
console-records-member-litres = litres
console-records-member-legal_basis = legal basis
console-records-member-item = item
console-records-member-isotopes = isotopes
console-records-member-image_sha256 = image's hash
console-records-member-image_bytes = image's size
console-records-member-house = house
console-records-member-gross_kg = gross
console-records-member-gamma = gamma reading
console-records-member-from = from
console-records-member-findings = findings
console-records-member-expires_at = expires
console-records-member-entries = entries
console-records-member-duty_minor = duty
console-records-member-dose_rate_usv_h = dose rate
console-records-member-documents = documents
console-records-member-decision = decision
console-records-member-contraband = contraband
console-records-member-container = container
console-records-member-conditions = conditions
console-records-member-clip_sha256 = clip's hash
console-records-member-clip_bytes = clip's size
console-records-member-clinic = clinic
console-records-member-cleared_at = cleared at
console-records-member-check_out = check-out
console-records-member-check_in = check-in
console-records-member-certificate = certificate
console-records-member-camera = camera
console-records-member-calibration_due = calibration due
console-records-member-biometric_score = biometric score
console-records-member-axle_kg = axles
console-records-member-assignee = assignee
console-records-member-answer = answer
console-records-member-anomaly = anomaly
console-records-member-amount_minor = amount
console-records-member-disposition = what it was
console-records-member-duplicate_of = duplicate of
console-records-member-code = code
