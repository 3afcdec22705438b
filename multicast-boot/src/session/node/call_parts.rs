//! Puts the parts of calls together whose manifest is too long for a frame.

use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use twowire_fabric::id::UniqueId;
use twowire_fabric::wire::boot::Call;

/// Calls that are put together at a time: of several images, or of somebody who should not call.
const MAX_CALLS: usize = 8;

/// One call as its parts come.
struct Gathered {
    session: u32,
    root: UniqueId,
    parts: Vec<Option<Bytes>>,
}

/// The calls of which some parts have come.
#[derive(Default)]
pub(super) struct CallParts {
    calls: VecDeque<Gathered>,
}

impl CallParts {
    /// Takes a part; returns the payload once all of it is here.
    pub(super) fn take(&mut self, call: &Call, payload: &Bytes) -> Option<Bytes> {
        if call.parts == 1 {
            return Some(payload.clone());
        }
        let index = self.index_of(call);
        let gathered = &mut self.calls[index];
        // A copy, so that the port gets its buffer back.
        gathered.parts[usize::from(call.part)] = Some(Bytes::copy_from_slice(payload));
        if gathered.parts.contains(&None) {
            return None;
        }
        let gathered = self.calls.remove(index)?;
        let mut whole = BytesMut::new();
        gathered.parts.into_iter().flatten().for_each(|part| whole.extend_from_slice(&part));
        Some(whole.freeze())
    }

    /// Where this call is gathered. A new one may push the oldest out.
    fn index_of(&mut self, call: &Call) -> usize {
        let Call { session, root, parts, .. } = *call;
        let is_it = |g: &Gathered| (g.session, g.root, g.parts.len()) == (session, root, usize::from(parts));
        if let Some(index) = self.calls.iter().position(is_it) {
            return index;
        }
        if self.calls.len() == MAX_CALLS {
            self.calls.pop_front();
        }
        self.calls.push_back(Gathered { session, root, parts: vec![None; parts.into()] });
        self.calls.len() - 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use twowire_fabric::protocol::Group;
    use twowire_fabric::wire::boot::Offering;

    fn call(session: u32, part: u8, parts: u8) -> Call {
        let (root, offering) = (UniqueId(9), Offering::Normal);
        Call { session, root, report_ms: 0, symbol: 0, group: Group(1), challenge: None, offering, part, parts }
    }

    #[test]
    fn parts_make_up_the_payload_in_whatever_order_they_come() {
        let mut gathered = CallParts::default();
        let mut take = |session, part, text: &'static str| {
            gathered.take(&call(session, part, 3), &Bytes::from_static(text.as_bytes()))
        };
        assert_eq!(take(1, 2, "c"), None);
        assert_eq!(take(1, 2, "c"), None);
        assert_eq!(take(2, 0, "other"), None);
        assert_eq!(take(1, 0, "a"), None);
        assert_eq!(take(1, 1, "b"), Some(Bytes::from_static(b"abc")));
        assert_eq!(take(1, 1, "b"), None, "the next time it is put together anew");
        assert_eq!(gathered.take(&call(3, 0, 1), &Bytes::from_static(b"all")), Some(Bytes::from_static(b"all")));
    }

    proptest! {
        #[test]
        fn any_parts_take_a_bounded_room(parts in prop::collection::vec((any::<u32>(), 0u8..8, 1u8..=8), 0..100)) {
            let mut gathered = CallParts::default();
            for (session, part, parts) in parts {
                gathered.take(&call(session % 20, part % parts, parts), &Bytes::from_static(b"x"));
                prop_assert!(gathered.calls.len() <= MAX_CALLS);
            }
        }
    }
}
