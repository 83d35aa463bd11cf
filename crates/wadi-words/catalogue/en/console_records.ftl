# The console's pages: records.
