# Pages of the console.

console-sites-as-of = As of
console-sites-none-asks = nothing asks for you
console-sites-ask = { $n ->
    [one] { $n } node asks for somebody
   *[other] { $n } nodes ask for somebody
}
console-sites-map = Map of the nodes and their links to this one; the table says the same in words
console-sites-map-about = Lines are the links of this node. Outlines: Natural Earth; places are approximate.
console-sites-legend = What the marks mean
console-sites-legend-dark = dark, for no longer than usual
console-sites-legend-flapping = flapping: six contacts or more began within the hour
console-sites-legend-unknown = never in contact with this node
console-sites-own-alarms = Alarms of this node
console-sites-unplaced = Not on the map
console-sites-table = All nodes
console-sites-site = Node
console-sites-crossing = Crossing
console-sites-link = Link
console-sites-link-own = this node
console-sites-link-up = up
console-sites-link-dark = dark
console-sites-link-dark-usual = dark, as usual
console-sites-link-late = dark for longer than usual
console-sites-link-flapping = flapping
console-sites-link-unknown = unknown
console-sites-contacts-in-hour = { $n ->
    [one] { $n } contact in the last hour
   *[other] { $n } contacts in the last hour
}
console-sites-usually-dark = usually up to { $what }
console-sites-no-habit = no habit known yet
console-sites-last-contact = Last contact
console-sites-oldest-unsent = Oldest unsent
console-sites-oldest-unwitnessed = Oldest unwitnessed
console-sites-backlog = Backlog
console-sites-expected = Expected
console-sites-clock-right = agrees with the hub
console-sites-clock-ahead = { $what } ahead of the hub
console-sites-clock-behind = { $what } behind the hub
console-expected-at-hub = expected at the hub about
console-expected-about = at the hub about
console-expected-link = link expected about
console-expected-unknown = when it will be at the hub is unknown
console-expected-by-hour_of_week = by this hour of earlier weeks
console-expected-by-hour_of_day = by this hour of earlier days
console-expected-by-pace = as fast as it goes now
console-expected-was-right = such estimates were right before
console-expected-wrong-by = such estimates were wrong by { $what }
console-sites-verified = Verified through
console-sites-clock = Clock
console-sites-certificate = Certificate
console-sites-certificate-ends = the certificate ends soon: renew it
console-sites-disk = Disk
console-sites-software = Software
console-sites-refusals = Refusals
console-sites-unknown = unknown
console-sites-nothing = nothing
console-sites-none = none
console-sites-not-applicable = –
console-sites-no-alarm = no alarm
console-sites-alarm-clock = in doubt
console-sites-alarm-disk = low
console-sites-to-send = { $n } to send
console-sites-to-fetch = { $n } to receive
console-sites-over-in = over in { $what }
console-sites-over-unknown = nobody knows by when
console-sites-lane-control = control
console-sites-lane-hold = holds
console-sites-lane-customs = customs
console-sites-lane-passage = passages
console-sites-lane-site = site days
console-sites-days = { $n ->
    [one] { $n } day
   *[other] { $n } days
}
console-sites-hours = { $n ->
    [one] { $n } hour
   *[other] { $n } hours
}
console-sites-minutes = { $n ->
    [one] { $n } minute
   *[other] { $n } minutes
}
console-sites-seconds = { $n ->
    [0] now
    [one] { $n } second
   *[other] { $n } seconds
}
console-sites-no-such = No node is called { $what } here.
console-sites-since = since
console-sites-usual = Usually dark for
console-sites-rtt = There and back
console-sites-last-error = Last trouble
console-sites-id = Id
console-sites-do-resync = Resync…
console-sites-do-compare = Compare…
console-sites-chart-in-contact = in contact
console-sites-chart-contacts = When it was in contact
console-sites-chart-sent = Sent
console-sites-chart-received = Received
console-sites-chart-backlog = Entries that it lacked
console-sites-contacts = Last contacts
console-sites-no-contacts = No contact is remembered.
console-sites-began = Began
console-sites-lasted = Lasted
console-sites-links = Links
console-sites-links-kind = Cost and purpose
console-sites-links-state = State
console-sites-links-sends = Sent over it now
console-sites-links-month = This month (UTC)
console-sites-links-flat = flat
console-sites-links-metered = by the byte
console-sites-links-urgent = for urgent matters
console-sites-links-bulk = for bulk
console-sites-links-all = for everything
console-sites-traffic = What went over the link
console-sites-traffic-what = What for
console-sites-traffic-budget = At most { $what } a month, both ways.
console-sites-traffic-today = today (UTC), all
console-sites-traffic-month = this month (UTC), all
console-sites-traffic-handshake = setting the connection up
console-sites-traffic-frontier = who holds how much
console-sites-traffic-blocks_control = control entries
console-sites-traffic-blocks_hold = holds
console-sites-traffic-blocks_customs = customs entries
console-sites-traffic-blocks_passage = passages
console-sites-traffic-blocks_site = site days
console-sites-traffic-acknowledgements = acknowledgements
console-sites-traffic-cosignatures = cosignatures
console-sites-traffic-excerpts = records handed over
console-sites-traffic-carried = carried for others
console-sites-traffic-mending = comparing and mending
console-sites-traffic-packets = headers, keep-alives, sent again
