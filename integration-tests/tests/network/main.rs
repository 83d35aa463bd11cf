//! Sites and hubs over links: what travels, what waits, and what is known of both.

mod blind_carriers;
mod bundles;
mod hub;
mod hub_pair;
mod link_talk;
mod quiet_sites;
mod replaced_entries;
mod replicas;
mod safe_at_hub;
mod several_links;
mod thin_links;
