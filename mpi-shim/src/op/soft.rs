//! Sums and products of floating-point numbers that Rust has no type for, rounded to the nearest, ties to even.
//!
//! The x87's 80-bit format and IEEE binary128 have the same exponents and differ in the number of their significant
//! bits: 64 and 113. Numbers are taken apart, calculated exactly with three bits more (the last of which
//! stands for all that are shifted out), and rounded once.

/// The exponent of infinities and NaNs.
const SPECIAL: i32 = 0x7fff;
const BIAS: i32 = 0x3fff;
/// Bits below the last one that is kept.
const GUARD: u32 = 3;

/// A number with `P` significant bits: `significand` × 2^(`exponent` - bias - `P` + 1). Bit `P` - 1 is set in all but
/// subnormal numbers, whose exponent is 1. With the special exponent a significand of 0 is infinity, others are NaN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Soft<const P: u32> {
    negative: bool,
    exponent: i32,
    significand: u128,
}

/// IEEE binary128.
pub(super) type Binary128 = Soft<113>;
/// The x87's format.
pub(super) type Binary80 = Soft<64>;

impl Binary128 {
    /// From 16 bytes.
    pub(super) fn from_bits(bits: u128) -> Self {
        let fraction = bits & ((1 << 112) - 1);
        let exponent = (bits >> 112) as i32 & SPECIAL;
        Self::assemble(bits >> 127 != 0, exponent, fraction)
    }

    /// To 16 bytes.
    pub(super) fn to_bits(self) -> u128 {
        let (exponent, fraction) = self.disassemble();
        u128::from(self.negative) << 127 | exponent << 112 | fraction
    }
}

impl Binary80 {
    /// From 10 bytes; what follows them is left aside.
    pub(super) fn from_bits(bits: u128) -> Self {
        let significand = bits & u128::from(u64::MAX);
        let exponent = (bits >> 64) as i32 & SPECIAL;
        let fraction = significand & !(1 << 63);
        let negative = bits >> 79 & 1 != 0;
        match (exponent, significand >> 63) {
            (0, 1) => Self::assemble(negative, 1, fraction),
            // Without the integer bit, which is invalid.
            (1.., 0) => Self::NAN,
            _ => Self::assemble(negative, exponent, fraction),
        }
    }

    /// To 10 bytes, and zeros after them.
    pub(super) fn to_bits(self) -> u128 {
        let (exponent, fraction) = self.disassemble();
        let integer = u128::from(exponent != 0) << 63;
        u128::from(self.negative) << 79 | exponent << 64 | integer | fraction
    }
}

impl<const P: u32> Soft<P> {
    const INTEGER: u128 = 1 << (P - 1);
    /// A quiet NaN.
    const NAN: Self = Self { negative: false, exponent: SPECIAL, significand: Self::INTEGER >> 1 };

    fn assemble(negative: bool, exponent: i32, fraction: u128) -> Self {
        match exponent {
            0 => Self { negative, exponent: 1, significand: fraction },
            SPECIAL => Self { negative, exponent, significand: fraction },
            _ => Self { negative, exponent, significand: fraction | Self::INTEGER },
        }
    }

    /// The exponent's and the fraction's bits.
    fn disassemble(self) -> (u128, u128) {
        let stored = self.exponent == SPECIAL || self.significand & Self::INTEGER != 0;
        (if stored { self.exponent as u128 } else { 0 }, self.significand & (Self::INTEGER - 1))
    }

    fn is_nan(self) -> bool {
        self.exponent == SPECIAL && self.significand != 0
    }

    fn quiet(self) -> Self {
        Self { significand: self.significand | Self::NAN.significand, ..self }
    }

    /// The number with the other sign.
    pub(super) fn negated(self) -> Self {
        Self { negative: !self.negative, ..self }
    }

    /// True if it is less than the other one; false with a NaN.
    pub(super) fn less(self, other: Self) -> bool {
        if self.is_nan() || other.is_nan() || (self.is_zero() && other.is_zero()) {
            return false;
        }
        let magnitudes = (self.exponent, self.significand).cmp(&(other.exponent, other.significand));
        match (self.negative, other.negative) {
            (true, false) => true,
            (false, true) => false,
            (false, false) => magnitudes.is_lt(),
            (true, true) => magnitudes.is_gt(),
        }
    }

    fn is_zero(self) -> bool {
        self.significand == 0 && self.exponent != SPECIAL
    }

    /// The sum.
    pub(super) fn plus(self, other: Self) -> Self {
        let swap = (self.exponent, self.significand) < (other.exponent, other.significand);
        let (large, small) = if swap { (other, self) } else { (self, other) };
        if large.exponent == SPECIAL {
            return large.plus_special(small);
        }
        let a = large.significand << GUARD;
        let b = shifted(small.significand << GUARD, (large.exponent - small.exponent) as u32);
        if large.negative == small.negative {
            return Self::rounded(large.negative, large.exponent, a + b);
        }
        let difference = a - b;
        if difference == 0 {
            return Self { negative: false, exponent: 1, significand: 0 };
        }
        Self::rounded(large.negative, large.exponent, difference)
    }

    /// The sum of an infinity or a NaN and a number that is not larger.
    fn plus_special(self, other: Self) -> Self {
        if self.is_nan() {
            return self.quiet();
        }
        if other.exponent == SPECIAL && other.negative != self.negative {
            return Self::NAN;
        }
        self
    }

    /// The product.
    pub(super) fn times(self, other: Self) -> Self {
        let negative = self.negative != other.negative;
        for (one, another) in [(self, other), (other, self)] {
            if one.is_nan() {
                return one.quiet();
            }
            if one.exponent == SPECIAL && !another.is_nan() {
                let infinity = Self { negative, exponent: SPECIAL, significand: 0 };
                return if another.is_zero() { Self::NAN } else { infinity };
            }
        }
        if self.is_zero() || other.is_zero() {
            return Self { negative, exponent: 1, significand: 0 };
        }
        let (a, b) = (self.normal(), other.normal());
        let (high, low) = wide_product(a.significand, b.significand);
        // 2P - 1 or 2P bits, of which P + 1 and the guard bits are kept.
        let drop = P - 1 - GUARD;
        let kept = high << (128 - drop) | low >> drop;
        let sticky = low & ((1 << drop) - 1) != 0;
        Self::rounded(negative, a.exponent + b.exponent - BIAS, kept | u128::from(sticky))
    }

    /// With the integer bit set, whatever the exponent becomes.
    fn normal(self) -> Self {
        let by = self.significand.leading_zeros() - (128 - P);
        Self { exponent: self.exponent - by as i32, significand: self.significand << by, ..self }
    }

    /// The nearest number to one with guard bits, whose integer bit is anywhere.
    fn rounded(negative: bool, mut exponent: i32, mut significand: u128) -> Self {
        let place = (128 - significand.leading_zeros()) as i32 - (P + GUARD) as i32;
        if place > 0 {
            significand = shifted(significand, place as u32);
            exponent += place;
        } else {
            // Not below the exponent of subnormal numbers.
            let by = (-place).min((exponent - 1).max(0));
            significand <<= by;
            exponent -= by;
        }
        if exponent < 1 {
            significand = shifted(significand, (1 - exponent) as u32);
            exponent = 1;
        }
        let rest = significand & ((1 << GUARD) - 1);
        let mut kept = significand >> GUARD;
        let half = 1 << (GUARD - 1);
        if rest > half || (rest == half && kept & 1 == 1) {
            kept += 1;
            if kept == Self::INTEGER << 1 {
                kept >>= 1;
                exponent += 1;
            }
        }
        if exponent >= SPECIAL {
            return Self { negative, exponent: SPECIAL, significand: 0 };
        }
        Self { negative, exponent, significand: kept }
    }
}

/// Shifted to the right; the last bit is set if any bit that was set is lost.
fn shifted(value: u128, by: u32) -> u128 {
    match by {
        0 => value,
        1..128 => value >> by | u128::from(value << (128 - by) != 0),
        _ => u128::from(value != 0),
    }
}

/// The product of two numbers, in two halves.
fn wide_product(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let low = a0 * b0;
    let middle = a1 * b0 + (low >> 64);
    let carried = a0 * b1 + (middle & LOW);
    (a1 * b1 + (middle >> 64) + (carried >> 64), carried << 64 | (low & LOW))
}
