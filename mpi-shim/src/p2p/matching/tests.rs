use super::{ANY, Key, Posted, Unexpected};
use proptest::prelude::*;

/// The whole of matching as the standard has it: two lists, searched from their beginnings.
#[derive(Default)]
struct Model {
    posted: Vec<(Key, u32)>,
    unexpected: Vec<(Key, u32)>,
}

#[derive(Clone, Debug)]
enum Step {
    Receive(Key),
    Message(Key),
    Probe(Key),
    Cancel(usize),
}

fn keys(wild: bool) -> impl Strategy<Value = Key> {
    let any = move |value: i32| if wild && value == 0 { ANY } else { value };
    (0..2u64, 0..5i32, 0..4i32).prop_map(move |(context, source, tag)| Key {
        context,
        source: any(source),
        tag: any(tag),
    })
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        5 => keys(true).prop_map(Step::Receive),
        5 => keys(false).prop_map(Step::Message),
        1 => keys(true).prop_map(Step::Probe),
        1 => (0..50usize).prop_map(Step::Cancel),
    ];
    // Bursts make the queues long enough to be indexed, and short again.
    let burst = (keys(true), keys(false), 0..60usize, any::<bool>()).prop_map(|(asked, came, count, receives)| {
        let step = if receives { Step::Receive(asked) } else { Step::Message(came) };
        vec![step; count]
    });
    prop::collection::vec(prop_oneof![6 => step.prop_map(|step| vec![step]), 1 => burst], 0..200)
        .prop_map(|all| all.concat())
}

proptest! {
    #[test]
    fn receives_and_messages_meet_as_in_the_standard(steps in steps()) {
        let mut model = Model::default();
        let (mut posted, mut unexpected) = (Posted::default(), Unexpected::default());
        for (number, step) in steps.into_iter().enumerate() {
            let number = number as u32;
            match step {
                Step::Receive(key) => {
                    let place = model.unexpected.iter().position(|(message, _)| key.takes(message));
                    let expected = place.map(|place| model.unexpected.remove(place));
                    prop_assert_eq!(unexpected.take(&key), expected);
                    if expected.is_none() {
                        model.posted.push((key, number));
                        posted.post(key, number);
                    }
                }
                Step::Message(key) => {
                    let place = model.posted.iter().position(|(asked, _)| asked.takes(&key));
                    let expected = place.map(|place| model.posted.remove(place).1);
                    prop_assert_eq!(posted.take(&key), expected);
                    if expected.is_none() {
                        model.unexpected.push((key, number));
                        unexpected.add(key, number);
                    }
                }
                Step::Probe(key) => {
                    let expected = model.unexpected.iter().find(|(message, _)| key.takes(message));
                    prop_assert_eq!(unexpected.find(&key), expected.map(|(key, number)| (key, number)));
                }
                Step::Cancel(place) if place < model.posted.len() => {
                    let (key, number) = model.posted.remove(place);
                    prop_assert!(posted.cancel(&key, number));
                    prop_assert!(!posted.cancel(&key, number));
                }
                Step::Cancel(_) => {}
            }
            prop_assert_eq!(posted.is_empty(), model.posted.is_empty());
            prop_assert_eq!(unexpected.len(), model.unexpected.len());
        }
    }
}
