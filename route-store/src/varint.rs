//! Numbers that are mostly small, in as few bytes as they need: seven bits a byte, the lowest first, the top bit set in
//! all bytes but the last (LEB128).

/// Bytes that `value` takes.
pub(crate) fn len(value: u64) -> usize {
    (64 - value.leading_zeros()).div_ceil(7).max(1) as usize
}

/// Appends `value`.
pub(crate) fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The number at the start of `bytes`, and what follows it. `None` if there is none, if it has more than 64 bits, or if
/// fewer bytes would have done: one number has one encoding.
pub(crate) fn take(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let last = bytes.iter().take(10).position(|byte| byte & 0x80 == 0)?;
    let (number, rest) = bytes.split_at(last + 1);
    if last > 0 && number[last] == 0 || last == 9 && number[last] > 1 {
        return None;
    }
    let value = number.iter().rev().fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
    Some((value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_survives_the_round_trip() {
        for value in (0..64).flat_map(|bit| [1 << bit, (1u64 << bit) - 1]).chain([u64::MAX]) {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            assert_eq!(bytes.len(), len(value), "{value}");
            bytes.push(7);
            assert_eq!(take(&bytes), Some((value, &[7][..])), "{value}");
            assert_eq!(take(&bytes[..bytes.len() - 2]), None, "{value} cut short");
        }
    }

    #[test]
    fn what_nobody_writes_is_refused() {
        assert_eq!(take(&[]), None);
        assert_eq!(take(&[0x80, 0]), None, "0 in two bytes");
        assert_eq!(take(&[0xff; 11]), None);
        let too_large = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02];
        assert_eq!(take(&too_large), None);
    }
}
