// What script adds to pages that work without it. Each part looks for what it serves, and does nothing where that is not there.
'use strict';
