# How findings stand.

phase-PENDING = pending
phase-FIRM = firm
finding_state-OPEN = open
finding_state-ASSIGNED = assigned
finding_state-PENDING_RESOLUTION = waits for a decision
finding_state-RESOLVED = resolved
finding_state-WAIVED = waived
disposition-true = true
disposition-explained = explained
disposition-false_alarm = false alarm
disposition-duplicate = duplicate
