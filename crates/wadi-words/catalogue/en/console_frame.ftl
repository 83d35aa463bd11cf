# What stands around every page of the console.

console-language-name = English
console-frame-skip = Skip to the content
console-frame-parts = Parts of the console
console-frame-signed-in = Signed in
console-frame-sign-out = Sign out
console-frame-to-beginning = To the beginning
console-frame-stale = Something on this page has changed since it was shown.
console-frame-stale-show = Show what is new
console-claimed = claimed
console-claimed-token = claimed, token { $what }
console-claimed-nobody = nobody named, token { $what }
console-claimed-about = “Claimed” stands beside an officer whom the node named that wrote the entry: no signature of the officer's own is over it.
console-home-nowhere = There is no such page. It may have been an address of an earlier version.
console-home-title = Console
console-sign-in-title = Sign in
console-sign-in-token = Token
console-sign-in-enter = Sign in
console-part-today = Today
console-part-records = Records
console-part-findings = Findings
console-part-sites = Sites
console-part-control = Operation
console-part-people = People
