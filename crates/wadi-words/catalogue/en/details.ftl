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
detail-wrong_password-other = the password is another one
detail-passkeys_not_offered-origins = this node offers no passkeys: its operator names the console's origins in http_passkeys
detail-passkey_failed-unknown = no passkey of an account here signed that
detail-passkey_failed-elsewhere = it was signed for another page than this console's
detail-passkey_failed-unverified = the authenticator did not verify who uses it: a PIN, a finger or a face is asked for
detail-passkey_failed-other = the passkey does not hold: { $why }
detail-passkey_challenge_over-over = the challenge was answered, has expired, or never was: begin again
detail-passkey_copied-counter = there are two of this passkey: its counter went back. It signs nobody in any more
detail-passkey_unread-why = the browser's answer does not read: { $why }
detail-passkey_known-there = the passkey is there already
detail-too_many_passkeys-most = an account has { $count } passkeys at most; remove one
detail-no_such_passkey-id = no passkey "{ $id }" of yours
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
