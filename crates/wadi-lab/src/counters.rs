//! What became of packets.

/// Packets, and the bytes of their payloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PacketCount {
    /// Packets.
    pub packets: u64,
    /// Bytes of UDP payload; of IP and UDP headers nothing.
    pub bytes: u64,
}

impl PacketCount {
    pub(crate) fn add(&mut self, payload_bytes: usize) {
        self.packets += 1;
        self.bytes += payload_bytes as u64;
    }
}

/// One way's counters. What was offered is delivered, lost, dropped, blocked, cut off, or still on
/// its way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WayCounters {
    /// Given to the modem.
    pub offered: PacketCount,
    /// Arrived at the other end; copies are not counted here.
    pub delivered: PacketCount,
    /// Lost by the radio.
    pub lost: PacketCount,
    /// Found no room in the modem's queue.
    pub dropped: PacketCount,
    /// Met a link that was down, or a black hole.
    pub blocked: PacketCount,
    /// Were on their way when the link went down.
    pub cut_off: PacketCount,
    /// Copies that arrived beside what was delivered.
    pub duplicated: PacketCount,
    /// Of those delivered, how many came after one that was sent later (RFC 4737).
    pub reordered: PacketCount,
}
