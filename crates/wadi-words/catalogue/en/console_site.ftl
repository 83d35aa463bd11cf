# The console's pages: site.
