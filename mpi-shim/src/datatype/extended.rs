//! The x87's 80-bit numbers in IEEE binary128 and back, bit by bit.
//!
//! ```text
//! x87        79 sign | 78..64 exponent | 63 integer bit | 62..0 fraction
//! binary128  127 sign | 126..112 exponent | 111..0 fraction (the integer bit is implied)
//! ```
//! Both have the same exponents, so that only fractions change: by 49 bits.

const EXPONENT: u128 = 0x7fff;
const INTEGER_BIT: u128 = 1 << 63;
const DROPPED: u32 = 112 - 63;

/// An x87 number as binary128; exact.
pub(super) fn to_quad(extended: u128) -> u128 {
    let sign = extended >> 79 & 1;
    let exponent = extended >> 64 & EXPONENT;
    let significand = extended & u128::from(u64::MAX);
    let fraction = (significand & (INTEGER_BIT - 1)) << DROPPED;
    let integer = significand & INTEGER_BIT != 0;
    match (exponent, integer) {
        // Pseudo-denormals: the same exponent as the smallest normal numbers.
        (0, true) => sign << 127 | 1 << 112 | fraction,
        (0, false) | (_, true) => sign << 127 | exponent << 112 | fraction,
        // Without their integer bit other numbers are invalid.
        (_, false) => sign << 127 | EXPONENT << 112 | 1 << 111,
    }
}

/// A binary128 number as x87 one, rounded to the nearest (ties to even).
pub(super) fn from_quad(quad: u128) -> u128 {
    let sign = quad >> 127;
    let exponent = quad >> 112 & EXPONENT;
    let fraction = quad & ((1 << 112) - 1);
    let kept = fraction >> DROPPED;
    if exponent == EXPONENT {
        let quiet = if fraction == 0 { 0 } else { 1 << 62 };
        return sign << 79 | EXPONENT << 64 | INTEGER_BIT | kept | quiet;
    }
    let rest = fraction & ((1 << DROPPED) - 1);
    let half = 1 << (DROPPED - 1);
    let up = rest > half || (rest == half && kept & 1 == 1);
    // Rounding up may carry into the exponent, and so make a subnormal number normal, or the largest one infinite.
    let rounded = (exponent << 63 | kept) + u128::from(up);
    let exponent = rounded >> 63;
    let integer = if exponent == 0 { 0 } else { INTEGER_BIT };
    sign << 79 | exponent << 64 | integer | (rounded & (INTEGER_BIT - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_number_is_taken_and_the_even_one_of_two() {
        let one = 0x3fff << 112;
        let x87 = |exponent: u128, fraction: u128| exponent << 64 | INTEGER_BIT | fraction;
        let last = 1 << DROPPED;
        for (fraction, expected) in [
            (0, x87(0x3fff, 0)),
            (last, x87(0x3fff, 1)),
            (last / 2, x87(0x3fff, 0)),
            (last / 2 + 1, x87(0x3fff, 1)),
            (last + last / 2, x87(0x3fff, 2)),
            (last + last / 2 - 1, x87(0x3fff, 1)),
            ((1 << 112) - 1, x87(0x4000, 0)),
        ] {
            assert_eq!(from_quad(one | fraction), expected, "fraction {fraction:#x}");
        }
        let largest = (0x7ffe << 112) | ((1 << 112) - 1);
        assert_eq!(from_quad(largest), x87(0x7fff, 0), "infinity");
        assert_eq!(from_quad((1 << 112) - 1), x87(1, 0), "the smallest normal number");
        assert_eq!(from_quad(1 << 127 | 1 << DROPPED), 1 << 79 | 1, "the smallest subnormal number");
        assert_eq!(from_quad(to_quad(x87(0x7fff, 1))), x87(0x7fff, 1 << 62 | 1), "a NaN stays one");
        assert_eq!(to_quad(1 << 64), EXPONENT << 112 | 1 << 111, "no integer bit: invalid");
    }
}
