# Where entries are kept, and what asks for somebody's attention at a node.

safety-local_only = on this node alone
safety-carried = carried by another node
safety-at_hub = at the hub
alarm-left_off = a task is left off after it failed
alarm-set_aside = work that once ended this node is set aside
alarm-replica_digests = more replicas than are compared
alarm-dossiers_cut = a record's dossier was cut: somebody may be filling it
alarm-rules_failed = a rule failed on a record
alarm-findings_held_back = findings are held back to be published later
alarm-spool = a file of the spool directory was not taken
alarm-clock = this node's clock is in doubt
alarm-entries_damaged = entries are damaged or missing on this disk
alarm-excerpts_damaged = entries of records handed over are damaged
alarm-database_damaged = the database is damaged
alarm-tail_lost = the database lost its newest commits
alarm-country_log = the country log cannot be kept for now
alarm-country_anew = the country log goes on under a new origin
alarm-country_histories = a hub shows two histories of its country log
alarm-country_witnesses = a witness does not cosign the country log
alarm-cost = a member is paused for what it costs
alarm-disk_low = little room is left on the disk
alarm-disk_full = the disk is full
