# The reasons of problems, with their values: `detail-`, the code, a hyphen and a word. The English ones are what the sources say,
# word for word: by them a reason is known, and told in the other language.

# Who may say what
detail-no_authority-device = a device cannot say { $event }: an officer has to
detail-no_authority-event = { $department } may not say { $event }
detail-no_authority-hub = the commission speaks from a hub's node only
detail-no_authority-holds = { $department } does not own { $type } holds
detail-no_authority-event_of_hold = { $department } may not say { $event } of this hold
detail-no_authority-check = a check is closed by the department that opened it, which has seen it
detail-no_authority-event_of_record = { $department } may not say { $event } of this record
detail-no_authority-lane = a lane is lowered by a supervisor of customs
detail-no_authority-not_of = { $officer } is not an officer of { $department }, or no longer
detail-no_authority-elsewhere = { $officer } is registered for another crossing than this one
detail-no_authority-not_here = { $officer } is not registered for that department at this crossing
detail-no_authority-hold = { $department } may not release hold { $hold } here
detail-no_authority-nobody = { $field } is set by nobody
detail-no_authority-device_field = a device cannot set { $field } here: an officer has to
detail-no_authority-field = { $department } may not set { $field }: { $departments } may
detail-no_authority-findings = findings are the commission's auditors' to decide
detail-unknown_department-name = "{ $name }" is no department
detail-unregistered_officer-name = "{ $officer }" was not registered by the hub when this was said
detail-revoked_officer-name = { $officer } was revoked

# Releases
detail-no_second_officer-missing = a release needs a second officer
detail-names_no_hold-missing = a release clears only the holds it names, and names none
detail-unseen_hold-hold = hold { $hold } was not in what the officer had seen
detail-result_against-one = a result speaks against the release
detail-no_attested_result-none = no attested result was seen that allows a release
detail-not_rejected-goods = goods are re-exported or destroyed only after they were rejected
detail-contested-field = a legal field is contested; it has to be settled before the entry can be assessed
detail-token_unknown-id = no token { $token } of the hub's is held here
detail-token_foreign-id = token { $token } is for another crossing, department or officer
detail-token_expired-id = token { $token } has expired
detail-token_expired-hub = token { $token } has expired by the hub's time
detail-token_expired-bearer = the token "{ $name }" has expired; have another one issued
detail-token_spent-id = token { $token } was spent before

# Officers' own signatures
detail-decision_unsigned-none = the policy asks for the officer's own signature on a decision, and this one has none; { $remedy }
detail-decision_key-other = { $key } was no key of { $officer }'s when this was said, or no longer
detail-decision_signature-other = the officer's own signature does not hold: it is over something else than what this entry says
detail-decision_signature-old = the officer's own signature does not hold: it was made more than 15 min before, or after
detail-decision_signature-why = the officer's own signature does not hold: { $detail }

# Fields
detail-guarded_field-supervisor = a decision rests on { $field } by now: only a supervisor may change it
detail-guarded_field-reason = a decision rests on { $field } by now: say why it is changed, with the event { $event } and its reason beside it
detail-guarded_field-rests = { $field } rests on more than this record by now: only { $departments } may change it
detail-guarded_field-nobody = { $field } is set by an officer, and none is named
detail-guarded_field-registered = { $field } is set by a registered officer only: { $why }
detail-guarded_field-device = a device cannot set { $field } here: an officer has to
detail-guarded_field-owner = { $field } is set by the department that owns the hold
detail-guarded_field-type = { $department } does not own { $type } holds and may not set { $field }
detail-guarded_field-none = { $department } owns no type of hold and may not set { $field }
detail-guarded_field-hold = { $department } does not own this hold and may not set { $field }

# Records
detail-foreign_crossing-record = the record was not handed over to the crossing that wrote this
detail-foreign_crossing-begun = this node writes records of { $own }; one of { $crossing } is begun there or at the hub
detail-foreign_crossing-observer = { $node } is an observer: it writes nothing
detail-foreign_record-begun = another crossing began this record in the name of this one: nothing that is said of it counts
detail-wrong_kind-draft = { $record } is a { $is }, the draft is of a { $draft }
detail-no_such_record-id = no record { $record }
detail-unknown_entry-named = based_on names { $entry }, which is no entry of this record held here
detail-empty_draft-nothing = nothing to record: neither fields nor events were given
detail-key_reused-entry = the key "{ $key }" stood for something else before, in { $entry }: nothing was written; give what is new a key of its own
detail-busy-writes = the node is busy: too many writes wait
detail-busy-sign_in = too many sign in at once; try again
detail-stopping-node = the node is stopping

# Findings
detail-no_such_finding-id = no finding { $finding }; it may have vanished as records came in
detail-already_decided-state = it is { $state } already; undo that first
detail-already_proposed-waits = a proposal waits for its decision
detail-nothing_proposed-now = there is no proposal on the evidence as it now stands
detail-own_proposal-same = who decides is not who proposed
detail-finding_moved-facts = its facts changed since you looked; it is { $state } now
detail-finding_moved-act = { $officer } { $act } it since you looked; it is { $state } now
detail-no_disposition-missing = name what it was: true, explained, false_alarm or duplicate
detail-bad_duplicate-missing = name the other finding
detail-bad_duplicate-self = a finding is no duplicate of itself
detail-bad_duplicate-unknown = there is no such other finding
detail-bad_duplicate-only = only a duplicate names another finding
detail-nothing_to_undo-none = nothing was decided or proposed; name the event to undo
detail-not_a_hub-found = findings are found at the hub
detail-not_a_hub-decided = findings are assigned and decided at the hub
detail-own_token_needed-findings = findings are settled by auditors with tokens of their own: `wadi token issue NAME --officer AU-1 --department HUB`, and the command with --token

# Signing in
detail-sign_in_failed-other = there is no such account, or the password is another one
detail-sign_in_paused-wait = too many attempts failed; the next one is looked at in { $seconds } s
detail-code_over-link = the link was used, has expired, or never was: ask for another one
detail-account_locked-locked = the account is locked; the operator of this node can unlock it
detail-officer_not_named-officer = no hub names { $officer } as an officer of { $department } here
detail-old_password-other = the old password is another one
detail-session_over-ended = the session has ended; sign in again
detail-account_taken-name = the account "{ $name }" is another person's, may something else, or is locked
detail-no_such_account-name = no account "{ $name }" here
detail-own_account-own = it is your own account: another operator does that
detail-other_person-token = the token is { $own }'s, who cannot speak as { $named }
detail-read_only-token = this token may only read
detail-officer_given-token = the token says who speaks; leave officer and department out

# Warnings about what was written all the same
detail-warning-changed = { $field }: changed after { $event } rested on it; that is a finding (R32)
detail-warning-unsigned = { $event }: not signed by the officer's own key, which the policy asks for; { $remedy }
detail-warning-happened = it is said to have happened { $minutes } min after this node's clock has it now
detail-warning-clock_ahead = this node's clock is { $apart } ahead of the hub's: the entry is kept, and the hub reports its time (R20)
detail-warning-clock_behind = this node's clock is { $apart } behind the hub's: the entry is kept, and the hub reports its time (R20)
detail-warning-number = { $device } gave the number { $number } after { $newest }: it is late, or its counter began anew
detail-warning-container = { $container }: not a valid ISO 6346 container number ({ $detail })
detail-warning-vin_digit = { $vin }: its check digit does not agree (ISO 3779, as used in North America and China)
detail-warning-vin = { $vin }: not a valid ISO 3779 vehicle number
detail-warning-zone = { $person }: the machine-readable zone of the document failed its check (ICAO 9303)
detail-warning-letter = { $field }: lookalike letter: { $letter } among Latin letters is of another alphabet, and is taken for the one that it looks like

# Carrying for others, and several links
detail-carries_open-carrier = it carries open blocks alone, which it could read: nothing is given to it for the hub until its software is renewed
detail-carried_unopened-hub = its software does not open what is sealed to it: renew it
detail-carry_unsealed-why = it cannot be given to a neighbour for the hub: { $detail }
detail-carried_seal_broken-carrier = what { $carrier } carried of { $log } is not what { $name } sealed: it was changed on the way; nothing is lost, { $owner } holds it
detail-carried_unreadable-author = what { $name } sealed of { $log } does not open here: { $detail }
detail-too_many_links-peer = { $node } calls over one link more than the { $most } that it may have

# Forms and values of what is written
detail-unknown_field-near = { $kind } has no field "{ $name }"; did you mean "{ $near }"?
detail-unknown_field-name = { $kind } has no field "{ $name }"
detail-unknown_event-near = no event type "{ $name }"; did you mean "{ $near }"?
detail-unknown_event-name = no event type "{ $name }"
detail-wrong_kind-event = { $event } is not an event of a { $kind }; it belongs to { $belongs }
detail-unknown_kind-name = no kind of record "{ $name }"; kinds are passage, hold, customs-entry and site-day
detail-unknown_department-code = no department "{ $name }"; departments are { $departments }
detail-unknown_name-near = no table, kind of record, event or field "{ $name }"; did you mean "{ $near }"?
detail-unknown_name-name = no table, kind of record, event or field "{ $name }"
detail-malformed_event-form = it is no canonical JSON object with a type
detail-malformed_event-why = { $why }
detail-bad_value-whole = { $field }: expected a whole number, found { $found }
detail-bad_value-text = { $field }: expected text, found { $found }
detail-bad_value-one_of = { $field }: "{ $value }" is none of { $names }
detail-bad_value-country = { $field }: "{ $value }" is not an ISO 3166 code of two capital letters
detail-bad_value-currency = { $field }: "{ $value }" is not an ISO 4217 code of three capital letters
detail-bad_value-crossing = { $field }: "{ $value }" is not a crossing's code
detail-bad_value-digest = { $field }: expected a SHA-256 of 64 hexadecimal digits; documents are never stored in the clear
detail-bad_value-hs_digits = { $field }: "{ $value }" is not an HS code: digits, and single dots or blanks between groups of them
detail-bad_value-hs_odd = { $field }: "{ $value }" is not an HS code: { $n } digits, an odd number; one is missing or too many
detail-bad_value-hs_zero = { $field }: "{ $value }" is not an HS code: { $n } digits, an odd number; the leading zero was lost ({ $meant }?), or one is missing or too many
detail-bad_value-hs_length = { $field }: "{ $value }" is not an HS code: { $least } to { $most } digits, chapter 01 to 97
detail-bad_value-hs_chapter = { $field }: "{ $value }" is not an HS code: there is no chapter { $chapter }, but 01 to 97
detail-bad_value-day = { $field }: "{ $value }" is no day, as 2026-03-01
detail-bad_value-lookout_origin = { $field }: "{ $value }": after the plus stands the country of origin, as in 0803+EC
detail-bad_value-lookout = { $field }: "{ $value }" holds neither a letter nor a digit: nothing matches it
detail-bad_value-nationality = { $field }: "{ $value }" is not a code of capital letters: two or three of ISO 3166, or those of a travel document (ICAO Doc 9303)
detail-bad_value-empty = { $field }: empty text; use null to clear a field
detail-bad_value-negative = { $field }: { $number } is less than nothing ({ $unit })
detail-bad_value-range = { $field }: { $number } is out of all range ({ $least } to { $most } { $unit })
detail-bad_value-time = { $field }: { $number } is no time between 1970 and 9999 (Unix time in milliseconds)
detail-bad_value-is_required = { $field }: is required
detail-bad_value-read_or_reason = { $field }: is required: a device's read, or a `reason` why there is none
detail-bad_value-beyond = { $field }: is beyond 2^53, which JSON cannot hold exactly
detail-bad_value-not_empty = { $field }: expected text that is not empty
detail-bad_value-an_int = { $field }: expected a whole number
detail-bad_value-a_number = { $field }: expected a number
detail-bad_value-a_flag = { $field }: expected true or false
detail-bad_value-a_time = { $field }: expected a Unix time in milliseconds
detail-bad_value-ints = { $field }: expected a list of whole numbers
detail-bad_value-texts = { $field }: expected a list of text
detail-bad_value-member_near = { $field }: is not a member of { $event }; did you mean "{ $near }"?
detail-bad_value-member = { $field }: is not a member of { $event }
detail-bad_value-member_one_of = { $field }: is none of { $names }
detail-bad_value-member_crossing = { $field }: is not a crossing's code
detail-bad_value-hold_type = { $field }: is no type of hold
detail-bad_value-net = { $field }: { $net } is not the gross { $gross } less the tare { $tare }
detail-bad_value-neither = { $field }: { $found } is neither text, a whole number of 64 bits, a flag nor null
detail-bad_value-long = { $field }: has more than { $most } characters
detail-bad_value-hidden = { $field }: holds the character U+{ $character }, which is not seen, or moves what is
detail-bad_value-key_long = key: has more than { $most } bytes
detail-bad_value-key_control = key: holds the control character U+{ $character }
detail-bad_value-id_control = id: "{ $id }" holds a control character
detail-bad_value-device_signs_in = a device has a token, and signs in nowhere
detail-bad_value-account = account: from 1 to { $most } characters
detail-bad_value-before = before: a number from 0 on
detail-bad_value-reason = reason: { $least } to { $most } characters
detail-bad_value-say_why = reason: say why
detail-bad_value-hours = hours: from 1 to { $most }
detail-bad_value-days = days: from 1 to { $most }
detail-bad_value-no_device = { $name }: no device may say or set that; docs/authority.md lists what one may
detail-bad_value-device_empty = device: is empty
detail-device_sequence-number = { $device } gave the number { $number } before, for something else, in { $entry }: nothing was written; another device has this name, or the counter began anew, which `device_session` or `wadi token anew` says
detail-device_seq_missing-number = a device gives its own `device_seq`, from 1
detail-kind_missing-kind = a new record needs a `kind`
detail-officer_missing-who = say for whom: `officer` and `department`
detail-no_officer-name = name the auditor: `officer`
detail-wrong_log-lane = it stands in a log of another lane or crossing than its record
detail-past_cut-log = it lies past the cut of its log: kept, and may restrict
detail-circle-own = it is based on what its own log says only later
detail-circle-leaning = its log and the entries it is based on lean on each other in a circle
detail-derivation_failed-none = no change could be derived from it
detail-set_aside-work = { $work } once ended this node's sequencer; it is set aside until the software is renewed, and nothing was written
detail-ambiguous_record-id = { $record } stands for more than one record: { $records }
detail-unproven_here-log = { $record } is held here without its log: ask the hub, or the node of its birthplace
detail-not_known_then-record = this node had taken in nothing of { $record } by then

# Bodies, imports and files in the spool
detail-bad_body-text = { $member }: expected text, found { $found }
detail-bad_body-no_object = the body is not an object of named members
detail-bad_body-why = { $why }
detail-broken_json-object = expected an object, found { $found }
detail-broken_json-of_value = { $name }: "{ $value }" is no JSON: { $why }
detail-broken_json-why = { $why }
detail-duplicate_member-name = this object has twice the member "{ $name }" at line { $line } column { $column }
detail-bad_encoding-utf16_cut = this is UTF-16 that is cut short or damaged; send UTF-8
detail-bad_encoding-utf32 = this is UTF-32; send UTF-8
detail-bad_encoding-utf16_mark = this is UTF-16 without its byte order mark; send UTF-8
detail-bad_encoding-byte = this is not UTF-8: byte { $at } is 0x{ $byte }, as in text of Windows-1256 or another code page; send UTF-8
detail-content_type-json = send the body with Content-Type: application/json
detail-empty_body-lines = there is nothing in it: send a line of JSON for each operation
detail-empty_file-nothing = there is nothing in it
detail-spool_speaker-devices_none = this directory speaks for devices alone, and the file names no device; whom a directory speaks for stands under [[spool]] in node.toml
detail-spool_speaker-named_none = this directory speaks for the devices { $devices }, and the file names no device; whom a directory speaks for stands under [[spool]] in node.toml
detail-spool_speaker-named_device = this directory speaks for the devices { $devices }, and the file names the device "{ $device }"; whom a directory speaks for stands under [[spool]] in node.toml
detail-spool_speaker-officer_device = this directory speaks for the officer { $officer } of { $department }, and the file names the device "{ $device }"; whom a directory speaks for stands under [[spool]] in node.toml
detail-spool_speaker-officer_other = this directory speaks for the officer { $officer } of { $department }, and the file names the { $member } "{ $named }"; whom a directory speaks for stands under [[spool]] in node.toml
detail-body_too_large-route = the body is longer than this route takes: send it in parts, an import in fewer lines
detail-body_too_large-file = more than the { $most } bytes that a file may have
detail-too_many_lines-lines = { $lines } lines; the limit is { $most } a request
detail-too_many-accounts = this node has as many accounts as it may
detail-too_many-findings = { $count } findings; { $most } at most in one request
detail-bad_operation-set = `set` is no object
detail-bad_operation-op = op { $op } is neither "new" nor "set"
detail-bad_operation-id = `id` is missing
detail-bad_operation-text = { $name }: expected text, found { $found }
detail-bad_operation-whole = { $name }: expected a whole number, found { $found }
detail-bad_operation-time = { $name }: { $why }
detail-unknown_sender_key-id = "{ $id }" was not imported here before; import the line that begins it first, or map it (docs/import.md)
detail-bad_idempotency_key-form = 1 to 128 visible ASCII characters
detail-bad_reference-form = malformed { $what }: "{ $reference }" is not ORIGIN@SEQ:LEAF
detail-bad_reference-given = "{ $given }": malformed { $what }: "{ $reference }" is not ORIGIN@SEQ:LEAF
detail-bad_reference-why = malformed { $what }: { $why }
detail-bad_crossing-form = malformed { $what }: "{ $crossing }" is not three of A-Z and 0-9
