use super::*;
use proptest::prelude::*;

const A: ImageTag = ImageTag(*b"AAAA");
const B: ImageTag = ImageTag(*b"BBBB");
const F: ImageTag = ImageTag(*b"FFFF");

fn tried(image: ImageTag, begun: u8, proven: bool) -> Option<Attempts> {
    Some(Attempts { image, begun, proven })
}

#[test]
fn what_is_booted() {
    use Choice::{Fallback, Normal, Nothing};
    let both = Offers { normal: Some(A), fallback: true };
    let alone = Offers { normal: Some(A), fallback: false };
    let fallback = Offers { normal: None, fallback: true };
    let none = Offers::default();
    let table = [
        // A node that has booted nothing yet, and one that has booted another image: the counter starts anew.
        (both, None, Normal, tried(A, 1, false)),
        (both, tried(B, 2, false), Normal, tried(A, 1, false)),
        (both, tried(B, 0, true), Normal, tried(A, 1, false)),
        // The second attempt; no third one.
        (both, tried(A, 1, false), Normal, tried(A, 2, false)),
        (both, tried(A, 2, false), Fallback, tried(A, 2, false)),
        (both, tried(A, 3, false), Fallback, tried(A, 3, false)),
        (alone, tried(A, 2, false), Nothing, tried(A, 2, false)),
        // Proven: nothing is counted, until it was seen to fail twice.
        (both, tried(A, 0, true), Normal, tried(A, 0, true)),
        (both, tried(A, 1, true), Normal, tried(A, 1, true)),
        (both, tried(A, 2, true), Fallback, tried(A, 2, true)),
        // Nothing normal.
        (fallback, None, Fallback, None),
        (fallback, tried(A, 1, false), Fallback, tried(A, 1, false)),
        (none, tried(A, 1, false), Nothing, tried(A, 1, false)),
    ];
    for (offers, record, boot, becomes) in table {
        assert_eq!(offers.choose(record), Decision { boot, record: becomes }, "{offers:?}, {record:?}");
    }
}

#[test]
fn what_is_learned() {
    let attempts = |begun, proven| Attempts { image: A, begun, proven };
    for (before, ready, failed) in [
        (attempts(1, false), attempts(0, true), attempts(1, false)),
        (attempts(2, false), attempts(0, true), attempts(2, false)),
        (attempts(0, true), attempts(0, true), attempts(1, true)),
        (attempts(1, true), attempts(0, true), attempts(2, true)),
        (attempts(2, true), attempts(0, true), attempts(2, true)),
    ] {
        assert_eq!((before.after_ready(A), before.after_failure(A)), (ready, failed), "{before}");
        assert_eq!((before.after_ready(F), before.after_failure(F)), (before, before), "of another image");
    }
}

#[test]
fn without_a_record_the_image_that_is_known_to_work_is_booted() {
    let offers = |normal, fallback| Offers { normal, fallback };
    assert_eq!(offers(Some(A), true).choose_unrecorded(), Choice::Fallback);
    assert_eq!(offers(Some(A), false).choose_unrecorded(), Choice::Normal);
    assert_eq!(offers(None, false).choose_unrecorded(), Choice::Nothing);
}

#[test]
fn a_tag_is_read_as_it_is_printed() {
    assert_eq!("9d4c01aa".parse(), Ok(ImageTag([0x9d, 0x4c, 0x01, 0xaa])));
    assert_eq!(ImageTag([0, 0x4c, 1, 0xaa]).to_string(), "004c01aa");
    for bad in ["", "9d4c01a", "+9d4c01a", "9d4c01aa0", "9d4c01ag"] {
        assert_eq!(bad.parse::<ImageTag>(), Err(TagError(bad.into())));
    }
}

/// What can befall a node, one at a time.
#[derive(Clone, Debug)]
enum Fate {
    /// The front end offers another normal image, by its index.
    Update(u8),
    /// The node boots: the power may go before or after the attempt is written down, or in the middle of the image.
    Boot { cut: Cut },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Cut {
    Never,
    BeforeTheWrite,
    AfterTheWrite,
    BeforeReady,
}

fn fate() -> impl Strategy<Value = Fate> {
    let cut = prop_oneof![
        4 => Just(Cut::Never),
        1 => Just(Cut::BeforeTheWrite),
        1 => Just(Cut::AfterTheWrite),
        1 => Just(Cut::BeforeReady),
    ];
    prop_oneof![1 => (0u8..4).prop_map(Fate::Update), 4 => cut.prop_map(|cut| Fate::Boot { cut })]
}

/// A node with its record, which counts what the NVRAM has to take.
#[derive(Default)]
struct Node {
    record: Option<Attempts>,
    writes: usize,
}

impl Node {
    fn write(&mut self, record: Option<Attempts>) {
        self.writes += usize::from(record != self.record);
        self.record = record;
    }

    /// Boots once. Says which image became ready, if one did, and whether the normal image got control.
    fn boot(&mut self, offers: Offers, works: impl Fn(ImageTag) -> bool, cut: Cut) -> (Option<ImageTag>, bool) {
        let decision = offers.choose(self.record);
        if cut == Cut::BeforeTheWrite {
            return (None, false);
        }
        self.write(decision.record);
        let image = match decision.boot {
            Choice::Normal => offers.normal,
            Choice::Fallback => offers.fallback.then_some(F),
            Choice::Nothing => None,
        };
        let started = decision.boot == Choice::Normal && cut != Cut::AfterTheWrite;
        let Some(image) = image.filter(|_| cut == Cut::Never) else { return (None, started) };
        let learned = self.record.map(|a| if works(image) { a.after_ready(image) } else { a.after_failure(image) });
        self.write(learned);
        (works(image).then_some(image), started)
    }
}

proptest! {
    /// Whatever happened: with a fallback that works, a node that is left alone is up after three boots at most, and
    /// stays up without a write; no image that never worked got control more than twice between two updates; and an
    /// update costs at most three writes, a failure of an image that had worked two more.
    #[test]
    fn a_node_is_never_bricked(good in any::<[bool; 4]>(), fates in prop::collection::vec(fate(), 0..60)) {
        let image = |index: u8| ImageTag([index; 4]);
        let works = |tag: ImageTag| tag == F || good[usize::from(tag.0[0])];
        let mut node = Node::default();
        let mut offers = Offers { normal: Some(image(0)), fallback: true };
        let (mut updates, mut started) = (1, 0);
        for fate in fates {
            match fate {
                Fate::Update(index) if offers.normal != Some(image(index)) => {
                    offers.normal = Some(image(index));
                    (updates, started) = (updates + 1, 0);
                }
                Fate::Update(_) => {}
                Fate::Boot { cut } => {
                    let (_, normal) = node.boot(offers, works, cut);
                    started += usize::from(normal);
                    let hopeless = !works(offers.normal.unwrap());
                    prop_assert!(!hopeless || started <= usize::from(MAX_ATTEMPTS), "tried a third time");
                }
            }
            prop_assert!(node.writes <= 3 * updates, "{} writes for {} updates", node.writes, updates);
        }
        let up = (1..=3).find(|_| node.boot(offers, works, Cut::Never).0.is_some());
        prop_assert!(up.is_some(), "bricked: {:?}", node.record);
        let writes = node.writes;
        for _ in 0..1000 {
            prop_assert!(node.boot(offers, works, Cut::Never).0.is_some());
        }
        prop_assert_eq!(node.writes, writes, "1,000 reboots");
    }

    /// An image that worked and then does not, seen by the program that waits for it, gives way to the fallback; one
    /// that works again is booted again.
    #[test]
    fn a_proven_image_that_fails_gives_way(failures in 0usize..5) {
        let offers = Offers { normal: Some(A), fallback: true };
        let mut node = Node::default();
        node.boot(offers, |_| true, Cut::Never);
        for _ in 0..failures {
            node.boot(offers, |tag| tag == F, Cut::Never);
        }
        let (up, _) = node.boot(offers, |_| true, Cut::Never);
        prop_assert_eq!(up, Some(if failures < 2 { A } else { F }));
        prop_assert!(node.writes <= 2 + failures.min(2) + 1);
    }
}
