# What findings say. Each message is a sentence of a rule (crates/wadi-reconcile/src/rules/), with the values that the rule
# lists beside its id. A finding's `text` is made of these: whoever changes one changes what findings have said so far.


# Of any rule.

sentence-more = (and { $n } more of this kind)
sentence-rest = { $n } more findings of this rule on { $record }
sentence-cut = [only { $kinds } were looked at]
sentence-unheard = [nothing was ever heard of { $crossings }: what happened there is not known]
sentence-cut-kind = { $taken } of { $of } records of kind { $kind }
sentence-reason = the reason given: { $reason }
sentence-no-reason = no reason was given
sentence-explained = what has come since explains it
sentence-withheld = what it says of a traveller is withheld
sentence-R00-unreadable = every rule failed on { $record }: the record could not be read, and no rule was asked
sentence-R00-failed = { $rule } failed on { $record }: { $name } could not judge this record, and what it found before stands

# Holds.

sentence-R01-unseen = { $officer } released { $hold } and could not know of { $other }, open on the same target
sentence-R02-left = { $passage } left while hold { $hold } was open
sentence-R02-left-with-goods = { $passage } left while hold { $hold } was open of the goods of { $goods }
sentence-R02-turned-back = { $passage } was turned back while hold { $hold } was open
sentence-R02-turned-back-with-goods = { $passage } was turned back while hold { $hold } was open of the goods of { $goods }
sentence-R02-left-by-word = { $passage } is said to have left before hold { $hold } was placed, and that was written down while it was open
sentence-R02-left-by-word-with-goods = { $passage } is said to have left before hold { $hold } of the goods of { $goods } was placed, and that was written down while it was open
sentence-R02-placed-by-word = { $passage } left, and hold { $hold } on it, written down afterwards, is said to have been placed before
sentence-R02-placed-by-word-with-goods = { $passage } left, and hold { $hold } of the goods of { $goods }, written down afterwards, is said to have been placed before
sentence-R02-released-by-word = { $passage } left while hold { $hold } was open by all that was written, and what ended it, written down later, is said to have come before
sentence-R02-released-by-word-with-goods = { $passage } left while hold { $hold } of the goods of { $goods } was open by all that was written, and what ended it, written down later, is said to have come before
sentence-R02-let-out-alone = { $passage } left while hold { $hold } was open, and { $officer }, who let it out, says alone that it was turned back
sentence-R02-let-out-alone-with-goods = { $passage } left while hold { $hold } was open of the goods of { $goods }, and { $officer }, who let it out, says alone that it was turned back
sentence-R02-ended-alone = { $passage } went inland after { $officer } alone had ended hold { $hold } ({ $event }), and nobody else says that anything was taken off it
sentence-R02-ended-alone-with-goods = { $passage } went inland after { $officer } alone had ended hold { $hold } of the goods of { $goods } ({ $event }), and nobody else says that anything was taken off it
sentence-R10-sample = { $hold }: sample { $sample } was taken and has no result
sentence-R10-let-go = { $hold } was let go, and sample { $sample }, taken for it before, has no result
sentence-R10-hold = { $hold }: it was placed and has no result
sentence-R11-against = { $hold } was released, and { $event } speaks against it
sentence-R11-said-after = { $hold } was released, and { $event }, written down afterwards by { $officer }, is said to have come before
sentence-R12-alarm = the radiation alarm on { $hold } was not adjudicated
sentence-R12-innocent = { $hold } was adjudicated as naturally occurring; { $goods } is not
sentence-R12-secondary = { $hold } is a real alarm, and no secondary inspection was completed
sentence-R18-left = { $hold } was released and never taken out of the store
sentence-R18-under-hold = { $officer } took goods of { $hold } out of the store while it was open
sentence-R18-surplus = { $hold }: { $unit } { $came } came into the store and { $went } went out
sentence-R18-warm = { $hold }: { $temp } °C in slot { $slot }, { $limit } °C allowed

# Customs.

sentence-R03-declared = { $declared } kg declared, { $weighed } kg weighed on { $trucks }
sentence-R03-declared-itself = { $declared } kg declared, { $weighed } kg weighed for { $entry }
sentence-R03-spread = { $record } was weighed { $times } times, from { $least } to { $most } kg
sentence-R03-spread-of = { $record } was weighed { $times } times, its { $what ->
    [tare] tare
   *[net] net mass
} from { $least } to { $most } kg
sentence-R03-after-assessment = { $fields } was changed after the assessment of { $entry }
sentence-R08-twice = { $what ->
    [declarant] declarant reference
    [transit] transit reference
    [registration] registration number
    [receipt] receipt
    [day] the day
   *[container] container
} { $value } stands in { $other } and in { $record }
sentence-R08-day-twice = the day { $date } was begun twice at one crossing, as { $other } and as { $record }
sentence-R14-cancelled = { $entry } was paid and cancelled
sentence-R14-cancel-requested = { $entry } was paid while its cancellation was asked for
sentence-R14-cancelled-when-gone = { $officer } cancelled { $entry } when { $passage } had left with its goods
sentence-R14-amount = { $entry }: { $assessed } { $currency } assessed, { $paid } paid (minor units)
sentence-R14-unpaid = { $entry } was released unpaid
sentence-R14-lowered = { $entry }: { $assessed } were assessed when it was released, { $lowered } afterwards, and { $paid } was paid (minor units)
sentence-R14-other-currency = { $entry }: { $assessed } { $currency } were assessed when it was released, { $other } { $other_currency } afterwards, and { $paid } { $currency } was paid (minor units)
sentence-R14-unduly = { $officer } { $act ->
    [paid] took money for
    [assessed] assessed
   *[released] released
} { $entry }, { $why }
sentence-R14-not-assessed = which was not assessed as it stood
sentence-R14-no-goods = which declares no goods with their code, mass and value
sentence-R14-not-registered = which was not registered
sentence-R14-less-than-before = for less than before, or in another currency, without a supervisor’s reason
sentence-R14-less-than-items = for less than its items say, without a supervisor’s reason
sentence-R14-contested = of which a legal field was contested
sentence-R14-question = on which a question was open
sentence-R14-under-hold = { $entry } was released while hold { $hold } on it was open
sentence-R14-under-hold-said-after = { $entry } was released, and hold { $hold } on it, written down afterwards, is said to have been placed before
sentence-R14-under-hold-by-word = { $entry } was released while hold { $hold } on it was open by all that was written, and what ended it, written down later, is said to have come before
sentence-R16-items = { $entry }: { $total } packages declared in all, { $items } by its items
sentence-R16-unloaded = { $declared } packages declared, { $unloaded } unloaded from { $trucks }
sentence-R16-unloaded-from-more = { $declared } packages declared, { $unloaded } unloaded from { $trucks } and { $more } more
sentence-R16-unloaded-unheard = { $declared } packages declared, { $unloaded } unloaded from { $truck }, and nothing was heard of a hold under which they lie in a store: { $entry } has no link to the truck, and the hold may have one to the truck alone
sentence-R16-reloaded = { $truck }: { $unloaded } packages unloaded, { $reloaded } reloaded
sentence-R16-counted = { $hold }: { $held } packages should lie in { $slot }, { $counted } were counted
sentence-R16-stored = { $unloaded } packages unloaded from { $source }, { $stored } stored for { $holds }
sentence-R17-missing = { $entry } declares { $goods } and names no certificate
sentence-R17-reused = certificate { $certificate } was used for { $other } already
sentence-R17-exceeded = certificate { $certificate } covers { $covers } kg, and { $used } kg go by it: { $records }
sentence-R17-exceeded-grams = certificate { $certificate } covers { $covers } g, and { $used } g go by it: { $records }
sentence-R19-uninspected = { $entry } was in the red lane and released without inspection
sentence-R19-lowered-refused = the lane of { $entry } was lowered: { $why }
sentence-R19-lowered = the lane of { $entry } was lowered: no reason was given
sentence-R26-inland = { $passage } went inland and { $entry } was not released since
sentence-R26-let-out-alone = { $passage } left, { $officer }, who let it out, says alone that it was turned back, and { $entry } was not released since
sentence-R27-open = { $passage }: transit { $transit } was not terminated
sentence-R27-never-left = { $passage } came in with transit { $transit }, and nobody says that it went on
sentence-R27-elsewhere = { $passage }: transit { $transit } was to end at { $exit }, and ended at { $ended }
sentence-R27-late = { $passage }: transit { $transit } ended late at { $ended }, { $hours ->
    [0] less than an hour
    [one] one hour
   *[other] { $hours } hours
} after it was due
sentence-R27-written-late = { $passage }: transit { $transit } is said to have ended at { $ended }, which was written { $hours ->
    [0] less than an hour
    [one] one hour
   *[other] { $hours } hours
} after it was due
sentence-R28-undervalued = { $goods }: { $own } a kilogram declared, { $median } by its peers (minor units)
sentence-R28-no-currency = { $goods }: { $own } a kilogram declared in no currency that there is, { $median } { $currency } by its peers (minor units)

# Vehicles and what they carry.

sentence-R04-two-places = { $what } was at { $there } and at { $here } within { $minutes } minutes; the { $km } km between them take { $needed }
sentence-R05-after-exit = { $passage } was { $event } after it had left
sentence-R05-before-entry = { $passage } was { $event } before it had come
sentence-R06-not-arrived = { $passage } was diverted to { $to } and has not arrived there
sentence-R06-unannounced = { $passage } arrived from { $from }, which diverted no such truck
sentence-R06-unannounced-from-unknown = { $passage } arrived from , which diverted no such truck
sentence-R07-two-plates = one vehicle number under two plates, { $theirs } and { $own }
sentence-R07-two-numbers = { $plate } has two vehicle numbers, { $theirs } and { $own }
sentence-R07-misread = { $own } and { $theirs } may be one vehicle, misread
sentence-R09-missing = { $passage } left laden, and no seal of its container was recorded
sentence-R09-strange = seal { $seals } was found on { $passage }, which came with other seals
sentence-R09-reused = seal { $seal } closed another load on { $other }
sentence-R15-missing = { $record } has no { $missing } that shares its plate, container or reference
sentence-R15-gone = { $truck } shares nothing but a link with { $entry }, and { $own } had left with all that it declares
sentence-R31-left = { $officer } let { $record } out { $lack ->
    [clearance] without a clearing that held
    [closed-check] while a check of it was open
    [anomaly] after a scanner found an anomaly that nobody looked into
   *[release] before it was released
}; { $why }
sentence-R31-beside = { $record } left, and on { $other }, another record of the same vehicle's stay, { $lack ->
    [closed-check] a check was open
   *[anomaly] a scanner had found an anomaly that nobody looked into
}
sentence-R31-let-out-alone = { $officer } let { $record } out { $lack ->
    [clearance] without a clearing
    [closed-check] while a check of it was open
   *[anomaly] after a scanner found an anomaly that nobody looked into
}, and says alone that it was turned back

# Devices and clocks.

sentence-R20-repeat = { $device } gave the number { $number } { $times } times
sentence-R20-gap-of-one = { $device } gave the number { $number }, and { $missing } is missing
sentence-R20-gap = { $device } gave the number { $number }, and { $first } to { $last } are missing
sentence-R20-anew = { $device } began to count anew: its run { $run }, after { $kind ->
    [first] the first one
   *[named] { $before }
}
sentence-R20-reversed = { $node } says it wrote { $seconds } s before what it had read was written: one clock is wrong
sentence-R20-outside = { $node } says { $what ->
    [happened] that something happened
   *[wrote] that it wrote this
} { $seconds } s { $side ->
    [after] after a hub had the entry
   *[before] before a hub time that it had named by then
}: a clock is wrong
sentence-R23-expired = { $record } was weighed on { $scale }, whose calibration ended on { $due }
sentence-R24-container = { $container }: not a valid ISO 6346 container number ({ $why })
sentence-R24-loading-unit = { $container }: not a valid EN 13044-1 loading unit number (check digit is { $found }, expected { $expected })
sentence-R24-vin-check = { $vin }: its check digit does not agree (ISO 3779, as used in North America and China)
sentence-R24-vin = { $vin }: not a valid ISO 3779 vehicle number
sentence-R24-document = person.{ $n }: the machine-readable zone of the document failed its check (ICAO 9303)
sentence-R24-other = { $warning }

# People.

sentence-R21-refused = { $officer } said { $event } on { $record }: { $why }
sentence-R21-refused-field = { $actor } set { $field } of { $record }: { $why }
sentence-R21-revoked = { $officer } said { $event } on { $record } after being revoked
sentence-R21-key = { $officer } said { $event } on { $record } under a key of their own that had been taken back
sentence-R21-foreign = an entry on { $record } does not count: { $why }
sentence-R21-foreign-record = { $record } was begun by another crossing in the name of this one: { $why }
sentence-R21-elsewhere = { $officer } said { $event } on { $record } at a crossing for which the officer is not registered
sentence-R21-token-twice = a token was spent twice on { $hold }
sentence-R21-token-elsewhere = a token spent on { $hold } was spent on { $other } already
sentence-R21-off-shift = { $officer } said { $event } on { $record } while off shift
sentence-R22-attested = { $officer } is both performer and { $role } of { $event } on { $record }
sentence-R22-attested-by-word = { $by } says that { $named } is both performer and { $role } of { $event } on { $record }
sentence-R25-in-twice = the holder of document { $document }… came in twice and never went out between
sentence-R25-out-twice = the holder of document { $document }… went out twice and never came in between
sentence-R25-not-admitted = the holder of document { $document }… came with { $listed }, was not admitted when others of it were, and was in the country afterwards by { $seen }
sentence-R25-vehicle-twice = vehicle { $plate } came in with { $first } and again with { $second }, and never left between
sentence-R25-vehicle-written-late = vehicle { $plate } came in with { $first } and again with { $second }, and that it had left between was written down only afterwards
sentence-R30-forced = { $officer } opened the gate by force { $times } times within { $hours } hours
sentence-R30-entered = { $officer } wrote down { $times } gates opened by force within { $hours } hours, and put them further apart
sentence-R32-changed = { $officer } changed { $field } of { $record } from { $before } to { $value } { $ground }; { $why }
sentence-R32-changed-among = { $officer } changed { $field } of { $record } from { $before } to { $value } { $ground }; { $why }; the record has { $n } such changes, and not all are told
sentence-R32-captured = { $officer } put { $value } into { $field } of { $record }, which held nothing, { $ground }; { $why }
sentence-R32-assessed = after the assessment
sentence-R32-paid = after it was paid
sentence-R32-released = after the release
sentence-R32-cleared = after it was cleared
sentence-R32-admitted = after the traveller had been admitted
sentence-R32-left = after it had left
sentence-R32-let-go = after the hold was let go on conditions
sentence-R32-adjudicated = after the alarm was adjudicated
sentence-R32-linked = after it was linked
sentence-R32-hold = while hold { $hold } rested on it
sentence-R32-entry = while customs entry { $entry } rested on it
sentence-R32-held-goods = while hold { $hold } on the goods of { $goods } rested on it
sentence-R32-voided = { $officer } voided { $record } as recorded in error, and somebody else had said { $event } of it before; { $why }

# Records.

sentence-R13-contested = { $field } has { $n } values, put without knowing of each other: { $values }
sentence-R29-differ = { $one } and { $other } hold the same entries of { $scope } and read them differently
sentence-R33-differs = { $node } released hold { $hold } and claims to have seen { $size } entries of a log of { $other }, whose first { $size } entries are others
sentence-R33-decided-differs = { $node } said { $event } of { $record } and claims to have seen { $size } entries of a log of { $other }, whose first { $size } entries are others
sentence-R33-decided-missing = { $node } said { $event } of { $record } and claims to have seen { $size } entries of a log of { $other }, of which there are fewer
sentence-R33-missing = { $node } released hold { $hold } and claims to have seen { $size } entries of a log of { $other }, of which there are fewer
