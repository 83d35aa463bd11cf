# Signing in, accounts, and who looked at what.

console-sign-in-account = Account
console-sign-in-password = Password
console-sign-in-other-way = Sign in with a token
console-sign-in-passkey = Sign in with a passkey
console-sign-in-passkey-failed = No passkey signed in. Try again, or use your password.
console-sign-in-wait = Try again in { $n ->
    [one] one second
   *[other] { $n } seconds
}.
console-sign-in-wait-minutes = Try again in { $n ->
    [one] one minute
   *[other] { $n } minutes
}.
console-invitation-title = Choose a password
console-invitation-rule = At least { $n } characters; a few words that you alone would put together are good. Nothing else is asked of it.
console-invitation-password = Password
console-invitation-again = The same once more
console-invitation-choose = Choose and sign in
console-invitation-ask = Ask the operator of this node for another link.
console-link-title = Sign in by link
console-link-text = This link signs you in once, on this browser.
console-people-title = Your account
console-people-ways = People at this node
console-people-changed = The password is changed. Your other sessions have ended.
console-people-by-token = You are signed in with a token, not with an account: it has no password, and its operator ends it.
console-people-person = Person
console-people-sessions = Sessions
console-people-this-one = this one
console-people-from = From
console-people-began = Began
console-people-ends = Ends
console-people-acts = Acts
console-people-end = End
console-people-password = Change the password
console-people-password-ends = Your other sessions end with it.
console-people-old = Password until now
console-people-new = New password
console-people-change = Change
console-people-passkeys = Passkeys
console-people-passkeys-where = A passkey signs in with your stick or machine, and its PIN, your finger or your face, in place of the password. It is added and used at { $what }, in a browser that has them.
console-people-passkeys-off = This node offers no passkeys any more: these sign nobody in.
console-people-passkey-name = Name
console-people-passkey-created = Added
console-people-passkey-used = Last used
console-people-passkey-never = never
console-people-passkey-copied = copied: signs nobody in
console-people-passkey-add = Add a passkey
console-people-passkey-not-made = No passkey was added. Try again; an authenticator is asked to verify who uses it.
console-people-passkey-remove = Remove the passkey
console-people-passkey-removed-ends = { $what } signs nobody in any more, and the sessions that it began end.
console-people-passkey-keep = Keep it
console-people-passkey-gone = it was removed meanwhile
console-people-when = When
console-people-what = What
console-people-by = By
console-people-older = Older
console-accounts-title = Accounts
console-accounts-none = Nobody has an account here yet.
console-accounts-may = May
console-accounts-state = State
console-accounts-last = Last signed in
console-accounts-sessions = Sessions
console-accounts-paused = paused, { $n } s
console-accounts-lock = Lock
console-accounts-unlock = Unlock
console-accounts-remove = Remove
console-accounts-remove-title = Remove the account
console-accounts-removed-ends = { $what } cannot sign in any more, the passkeys go, and open sessions end. What was recorded under the name stays.
console-accounts-keep = Keep it
console-accounts-invite = Invite
console-accounts-invite-officer = An officer
console-accounts-invite-person = An operator or reader
console-accounts-officer = Officer whom the hub names
console-accounts-invited = { $what } is invited
console-accounts-hand-over = Hand this link to the person, and to nobody else. It works once, within a week, and is shown this once.
console-account-state-open = open
console-account-state-invited = invited
console-account-state-locked = locked
console-is-officer = officer
console-is-operator = operator
console-is-reader = reader
console-sign-ins-title = Sign-ins
console-sign-ins-none = Nobody signed in yet.
console-sign-ins-unknown = no such account
console-sign-in-was-signed_in = signed in
console-sign-in-was-signed_out = signed out
console-sign-in-was-failed = failed
console-sign-in-was-refused = refused
console-sign-in-was-invited = invited
console-sign-in-was-password_set = password chosen
console-sign-in-was-passkey_added = passkey added
console-sign-in-was-passkey_removed = passkey removed
console-sign-in-was-passkey_copied = copied passkey
console-sign-in-was-locked = locked
console-sign-in-was-unlocked = unlocked
console-sign-in-was-removed = removed
console-sign-in-by-password = with password
console-sign-in-by-passkey = with passkey
console-sign-in-by-link = by link
console-sign-in-by-invitation = by invitation
console-looks-title = Looks at personal data
console-looks-none = Nobody looked.
console-looks-whole = { $n ->
    [0] No look was recorded yet.
    [one] One look is recorded, and it is whole.
   *[other] { $n } looks are recorded. Each line follows from the one before: none was changed or taken out.
}
console-looks-head = Head of the chain:
console-looks-told = { $n ->
    [0] Its head was not told to the hub yet.
    [one] It bears out the head that was told to the hub.
   *[other] It bears out { $n } heads that were told to the hub.
}
console-looks-read-from = Read from line { $n } on; older lines were not read since this node started.
console-looks-reading = The whole chain is being read: { $n } %.
console-looks-reading-again = Look again
console-looks-read-whole = The whole chain was read last at
console-looks-not-read = The whole chain was not read since this node started.
console-looks-read-do = Read the whole chain
console-looks-broken = The chain of looks is broken
console-looks-broken-at = Line { $n } does not follow from what stands before it: it was changed, or lines were taken out. Keep this node's database, and tell the commission.
console-looks-record = Record
console-looks-what = Seen
console-looks-token = With
console-looks-search = Search
console-look-person = who a traveller is
console-look-lookout = what a lookout seeks
