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
alarm-spare = a hub takes this node, which runs, for a spare
alarm-cost = a member is paused for what it costs
alarm-disk_low = little room is left on the disk
alarm-disk_full = the disk is full
