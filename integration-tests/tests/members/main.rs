//! Who is a member, by whose act, and what can be shown of it afterwards.

mod capture_drill;
mod clocks;
mod country_log;
mod evidence;
mod hostile;
mod membership;
mod node_keys;
mod officer_keys;
mod pki;
mod site_clocks;
mod strangers;
