# The console's pages: sites.
