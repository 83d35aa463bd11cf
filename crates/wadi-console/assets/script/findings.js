// Findings: the queue, one with its evidence, cases, statistics.
