# The console's pages: control.
