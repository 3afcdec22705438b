//! The texts that boot programs read: lists of images, ranges of nodes, tickets, a kernel's command line.

use std::path::Path;
use twowire_multicast_boot::image::catalogue::Catalogue;
use twowire_multicast_boot::init::settings::Settings;
use twowire_multicast_boot::node_ranges::NodeRanges;
use twowire_multicast_boot::session::Ticket;

/// Reads the bytes as each of them. What can be read is written so that it is read again as the same.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(catalogue) = Catalogue::parse(text, Path::new("/images")) {
        assert!(catalogue.entries().len() <= text.lines().count());
    }
    if let Ok(ranges) = text.parse::<NodeRanges>() {
        assert_eq!(ranges.to_string().parse(), Ok(ranges));
    }
    if let Ok(ticket) = text.parse::<Ticket>() {
        assert_eq!(ticket.to_string().parse(), Ok(ticket));
    }
    if let Ok(settings) = Settings::parse(text) {
        assert!(settings.arguments(true).iter().all(|argument| argument.starts_with("--")));
    }
}
