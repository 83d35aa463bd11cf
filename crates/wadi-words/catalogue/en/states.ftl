# States of records and their flags, by the kind of record they belong to.


# Any record.

state-OPEN = open
state-FOREIGN = begun by another crossing
state-UNREADABLE = cannot be read
state-CONTESTED = contested
state-REFUSED_ACTS = has refused acts
state-CHANGED_AFTER = changed after a decision
state-DETAINED = detained by an open hold

# Passages.

state-ANNOUNCED = announced
state-ADMITTED = admitted
state-IN_PROCESS = in process
state-CLEARED = cleared
state-EXITED = exited
state-TURNED_BACK = turned back
state-DIVERTED = diverted to another crossing
state-ARRIVED_ELSEWHERE = arrived at another crossing
state-ABANDONED = abandoned
state-VOID = void
state-CHECK_OPEN = check open
state-ANOMALY = anomaly in a scan
state-DIVERTED_TWICE = diverted twice
state-FORCED_EXIT = left without clearing
state-HANDED_OVER = handed over
state-VOIDED_AFTER_EXIT = voided after its exit
state-CANCELLED_AFTER_RELEASE = cancelled after its release

# Holds.

state-PLACED = placed
state-SAMPLED = sampled
state-RESULT_IN = result in
state-RELEASE_REQUESTED = release requested
state-CONDITIONAL = released under conditions
state-REJECTED = rejected
state-RECALLED = recalled
state-RELEASED = released
state-RE_EXPORTED = re-exported
state-DESTROYED = destroyed
state-SEIZED = seized
state-RELEASE_REFUSED = release refused
state-LOOKOUT = lookout

# Customs entries.

state-STORED = stored, not yet registered
state-REGISTERED = registered
state-ASSESSED = assessed
state-PAID = paid
state-CANCELLED = cancelled
state-QUERY = question open
state-CANCEL_REQUESTED = cancellation requested
state-RELEASED_WHILE_OPEN = released while a question was open
state-ASSESSED_UNDULY = assessed for less without a supervisor’s reason
state-PAID_UNDULY = paid without a valid assessment
state-RELEASED_UNDULY = released without what it rests on
state-GREEN = green lane
state-BLUE = blue lane
state-YELLOW = yellow lane
state-RED = red lane

# Site days.

state-POWER_LOST = power lost
state-LINK_DOWN = link down
state-WATER_BREACH = water outside its limits
