use super::super::sys;
use super::*;
use proptest::prelude::*;

const MAX_FRAME: usize = 300;

fn ring() -> (Ring, Arc<SharedMemory>) {
    let capacity = least_capacity(MAX_FRAME);
    let fd = sys::create(mapping_len(capacity)).unwrap();
    let (ring, _) = Ring::both(SharedMemory::map(&fd, mapping_len(capacity)).unwrap(), capacity, MAX_FRAME);
    let memory = Arc::clone(&ring.memory);
    (ring, memory)
}

proptest! {
    /// Frames come out as they went in, around the ring's end too; one is refused exactly when it does not fit.
    #[test]
    fn what_goes_in_comes_out(steps in prop::collection::vec((0usize..=MAX_FRAME, any::<bool>()), 1..400)) {
        let (ring, _) = ring();
        let capacity = ring.capacity;
        let (mut producer, mut consumer) = (Producer::new(ring.clone()), Consumer::new(ring));
        let mut inside = std::collections::VecDeque::new();
        let mut frame = Vec::new();
        for (i, (len, put)) in steps.into_iter().enumerate() {
            let used: u64 = inside.iter().map(|f: &Vec<u8>| record(f.len())).sum();
            if put {
                let fits = producer.has_room(len).unwrap();
                prop_assert_eq!(fits, used + record(len) <= capacity);
                if fits {
                    let bytes = vec![i as u8; len];
                    producer.push(&[&bytes[..len / 3], &bytes[len / 3..]]);
                    producer.publish();
                    inside.push_back(bytes);
                }
            } else {
                let found = consumer.pop(&mut frame).unwrap();
                consumer.publish();
                prop_assert_eq!(found.then(|| frame.clone()), inside.pop_front());
            }
        }
    }

    /// Whatever a hostile peer writes, this side gets a frame, none or an error, and never more than a frame's bytes.
    #[test]
    fn nothing_that_a_peer_writes_breaks_the_other_side(
        produced in any::<u64>(),
        consumed in any::<u64>(),
        near in prop::option::of((0u64..2_000, 0u64..2_000)),
        lengths in prop::collection::vec(any::<u32>(), 1..20),
    ) {
        let (ring, memory) = ring();
        let (mut producer, mut consumer) = (Producer::new(ring.clone()), Consumer::new(ring.clone()));
        for (i, length) in lengths.iter().enumerate() {
            // Sometimes positions that are nearly right, else any.
            let (produced, consumed) = near.unwrap_or((produced, consumed));
            memory.number(PRODUCED).store(produced, Ordering::Relaxed);
            memory.number(CONSUMED).store(consumed, Ordering::Relaxed);
            memory.write(ring.data + (i * 8) % ring.capacity as usize, &length.to_le_bytes());
            let mut frame = Vec::new();
            for _ in 0..100 {
                match consumer.pop(&mut frame) {
                    Ok(true) => prop_assert!(frame.len() <= MAX_FRAME),
                    Ok(false) | Err(_) => break,
                }
            }
            if producer.has_room(MAX_FRAME) == Ok(true) {
                producer.push(&[&[7; MAX_FRAME]]);
                producer.publish();
            }
        }
    }
}

#[test]
fn who_sleeps_is_woken_once() {
    let (ring, _) = ring();
    let (mut producer, mut consumer) = (Producer::new(ring.clone()), Consumer::new(ring));
    producer.push(&[b"one"]);
    assert!(!producer.publish(), "nobody waits");
    let mut frame = Vec::new();
    assert!(consumer.pop(&mut frame).unwrap());
    consumer.ask_for_frames();
    assert!(!consumer.has_frame().unwrap());
    producer.push(&[b"two"]);
    assert!(producer.publish());
    producer.push(&[b"three"]);
    assert!(!producer.publish(), "it is awake");
    producer.ask_for_room();
    assert!(consumer.publish());
    assert!(!consumer.publish());
}

#[test]
fn a_position_that_goes_back_is_an_error() {
    let (ring, memory) = ring();
    let mut consumer = Consumer::new(ring);
    memory.number(PRODUCED).store(16, Ordering::Relaxed);
    assert_eq!(consumer.pop(&mut Vec::new()), Ok(true), "a frame of no bytes");
    memory.number(PRODUCED).store(0, Ordering::Relaxed);
    assert_eq!(consumer.pop(&mut Vec::new()), Ok(true), "the producer had told of two");
    assert!(matches!(consumer.pop(&mut Vec::new()), Err(RingError::Position { theirs: 0, ours: 16, .. })));
}
