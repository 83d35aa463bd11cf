# The console's pages: findings.
