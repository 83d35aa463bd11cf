# The console's pages: accounts.
