//! Numbers that count for ever here and travel as their low 32 bits.

/// The number nearest to `near` whose low 32 bits are `low`; `None` if it would be negative.
pub(super) fn expand(near: u64, low: u32) -> Option<u64> {
    let ahead = low.wrapping_sub(near as u32) as i32;
    near.checked_add_signed(ahead.into())
}

#[cfg(test)]
mod tests {
    use super::expand;
    use proptest::prelude::*;

    #[test]
    fn numbers_before_zero_do_not_exist() {
        assert_eq!(expand(0, u32::MAX), None);
        assert_eq!(expand(0, 5), Some(5));
    }

    proptest! {
        #[test]
        fn a_number_within_two_thousand_million_is_found(near in 0u64..u64::MAX / 2, ahead in -(1i64 << 31)..(1 << 31)) {
            let wanted = near.checked_add_signed(ahead);
            prop_assume!(wanted.is_some());
            prop_assert_eq!(expand(near, wanted.unwrap() as u32), wanted);
        }
    }
}
