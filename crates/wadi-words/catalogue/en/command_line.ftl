# Headings of the tables that the command line prints.

console-cli-head-finding = finding
console-cli-head-rule = rule
console-cli-head-s = s
console-cli-head-phase = phase
console-cli-head-state = state
console-cli-head-record = record
console-cli-head-what = what
console-cli-head-id = id
console-cli-head-plate = plate
console-cli-head-safe = safe
console-cli-head-builds-on = builds on
console-cli-head-claimed = claimed
console-cli-head-hub-time = hub time
console-cli-head-node = node
console-cli-head-who = who
console-cli-head-says = says
console-cli-head-field = field
console-cli-head-value = value
console-cli-head-replaced = replaced
console-cli-head-crossing = crossing
console-cli-head-heard-through = heard through
console-cli-head-behind = behind
console-cli-head-peer = peer
console-cli-head-link = link
console-cli-head-last-contact = last contact
console-cli-head-they-lack = they lack
console-cli-head-in-step = in step
console-cli-head-rtt-ms = rtt ms
console-cli-head-last-error = last error

# Lists of findings and records.

console-cli-findings-count = { $shown } of { $count } findings
console-cli-more-with = more with
console-cli-held-by = by

# What was known at a decision.

console-cli-contested-by = by
console-cli-knew = what { $who } could have known
console-cli-history-left-out = { $field }: the { $count } oldest values are not shown
console-cli-history-withheld = not shown, for this token does not read it: { $names }
console-cli-knew-not-shown = the screen did not show { $entries }
console-cli-knew-hold = hold { $hold } had reached this node
console-cli-knew-hold-claimed = hold { $hold } had reached this node, as it says: NOT borne out
console-cli-knew-hold-not = hold { $hold } had NOT reached this node
console-cli-knew-control = policies and officers through entry { $size } of { $log }
console-cli-knew-control-claimed = policies and officers through entry { $size } of { $log }: NOT borne out

# How a node stands.

console-cli-counts = records { $records }  entries { $entries }  unsent { $unsent }  waiting { $waiting }  refused { $refused }  findings { $findings }
console-cli-oldest-unsent = oldest entry that no hub holds: { $minutes } min
console-cli-expected-at-hub = expected at the hub: { $when }
console-cli-lane-unsent = { $unsent } of lane { $lane }: { $when }
console-cli-carries = carries { $bytes } bytes of neighbours' entries for the hub
console-cli-alarm = ALARM
console-cli-alarm-at = ALARM at { $node }, since { $time }
console-cli-forked = FORKED
console-cli-cut = CUT
console-cli-refused = refused { $code }: { $why } ({ $subject })
console-cli-country = country log { $origin }: { $leaves } leaves, cosigned by { $cosigned } of { $witnesses } witnesses
console-cli-country-not-by = not by { $name }: { $why }
console-cli-not-asked = not asked yet
console-cli-cost = { $node } { $state }: it costs more than it may ({ $over }); over in { $seconds } s
console-cli-about = about { $when }
console-cli-about-by = about { $when } ({ $by })
console-cli-about-wrong = about { $when } ({ $by }, such estimates were wrong by { $minutes } min)
console-cli-by-hour-of-week = by this hour of earlier weeks
console-cli-by-hour-of-day = by this hour of earlier days
console-cli-by-pace = as fast as it goes now
console-cli-unknown = unknown
console-cli-never = never
console-cli-up = up
console-cli-up-sends = up, sends { $lanes }
console-cli-up-sends-nothing = up, sends nothing
console-cli-down = down
console-cli-down-expected = down, expected about { $when }
console-cli-ago = { $length } ago
console-cli-seconds = { $n } s
console-cli-minutes = { $n } min
console-cli-hours = { $n } h
console-cli-days = { $n } days
