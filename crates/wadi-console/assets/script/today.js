// A crossing's own day: what passed, what is held, and forms to record by hand.
