//! What each operation gives for one element of each type, calculated plainly.

use crate::datatype::{Basic, Float};
use crate::op::Kind;

/// An element's bytes as a number.
fn bits(bytes: &[u8]) -> u128 {
    let mut all = [0; 16];
    all[..bytes.len()].copy_from_slice(bytes);
    u128::from_le_bytes(all)
}

fn signed(bytes: &[u8]) -> i128 {
    let unused = 128 - 8 * bytes.len() as u32;
    (bits(bytes) << unused) as i128 >> unused
}

fn half(bits: u16) -> f64 {
    let magnitude = match (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff)) {
        (0, fraction) => fraction * 2f64.powi(-24),
        (0x1f, 0.0) => f64::INFINITY,
        (0x1f, _) => f64::NAN,
        (exponent, fraction) => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 1 { -magnitude } else { magnitude }
}

/// The half nearest to a number, by looking at all of them.
fn nearest_half(value: f64) -> u16 {
    let sign = if value.is_sign_negative() { 0x8000 } else { 0 };
    if value.is_nan() {
        return 0x7e00;
    }
    let magnitude = value.abs();
    let above = (0..=0x7c00_u16).collect::<Vec<_>>().partition_point(|&bits| half(bits) < magnitude) as u16;
    if above == 0 {
        return sign;
    }
    // Infinity stands where the next number would be.
    let place = |bits: u16| if bits == 0x7c00 { 65536.0 } else { half(bits) };
    let (low, high) = (magnitude - place(above - 1), place(above.min(0x7c00)) - magnitude);
    let up = high < low || (high == low && above & 1 == 0);
    sign | if up { above.min(0x7c00) } else { above - 1 }
}

/// A whole number as binary128.
pub(super) fn quad(value: i128) -> u128 {
    let magnitude = value.unsigned_abs();
    if magnitude == 0 {
        return 0;
    }
    let place = 127 - magnitude.leading_zeros();
    let fraction = (magnitude << (112 - place)) & ((1 << 112) - 1);
    u128::from(value < 0) << 127 | u128::from(place + 16383) << 112 | fraction
}

/// The whole number that a binary128 is.
fn whole(bits: u128) -> i128 {
    if bits << 1 == 0 {
        return 0;
    }
    let place = (bits >> 112) as i32 & 0x7fff;
    let magnitude = ((bits & ((1 << 112) - 1) | 1 << 112) >> (112 - (place - 16383))) as i128;
    if bits >> 127 == 1 { -magnitude } else { magnitude }
}

#[cfg(target_arch = "x86_64")]
pub(super) fn x87(kind: Kind, a: u128, b: u128) -> u128 {
    let mut out = 0_u128;
    // SAFETY: loads from and stores to these three variables; the register stack is left as it was.
    unsafe {
        macro_rules! calculate {
            ($instruction:literal) => {
                std::arch::asm!("fld tbyte ptr [{a}]", "fld tbyte ptr [{b}]", $instruction, "fstp tbyte ptr [{out}]",
                    a = in(reg) &a, b = in(reg) &b, out = in(reg) &mut out,
                    out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
                    out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _)
            };
        }
        match kind {
            Kind::Sum => calculate!("faddp st(1), st"),
            _ => calculate!("fmulp st(1), st"),
        }
    }
    out
}

/// Sums, products, least and greatest of two numbers in the type's own way.
fn real(kind: Kind, float: Float, a: &[u8], b: &[u8]) -> Vec<u8> {
    macro_rules! native {
        ($type:ty) => {{
            let (x, y) = (<$type>::from_le_bytes(a.try_into().unwrap()), <$type>::from_le_bytes(b.try_into().unwrap()));
            match kind {
                Kind::Sum => (x + y).to_le_bytes().to_vec(),
                Kind::Prod => (x * y).to_le_bytes().to_vec(),
                _ => chosen(kind, x.into(), y.into(), a, b),
            }
        }};
    }
    match float {
        Float::Single => native!(f32),
        Float::Double => native!(f64),
        Float::Half => {
            let (x, y) = (half(bits(a) as u16), half(bits(b) as u16));
            match kind {
                Kind::Sum => nearest_half(x + y).to_le_bytes().to_vec(),
                Kind::Prod => nearest_half(x * y).to_le_bytes().to_vec(),
                _ => chosen(kind, x, y, a, b),
            }
        }
        Float::Quad => {
            let (a, b) = (whole(bits(a)), whole(bits(b)));
            let result = match kind {
                Kind::Sum => a + b,
                Kind::Prod => a * b,
                Kind::Min => a.min(b),
                _ => a.max(b),
            };
            quad(result).to_le_bytes().to_vec()
        }
        Float::Extended => extended(kind, a, b),
    }
}

/// The first one's bytes if it is less, or for the maximum greater; else, also where either is no number, the second one's.
fn chosen(kind: Kind, x: f64, y: f64, a: &[u8], b: &[u8]) -> Vec<u8> {
    let first = if kind == Kind::Min { x < y } else { y < x };
    if first { a } else { b }.to_vec()
}

#[cfg(target_arch = "x86_64")]
fn extended(kind: Kind, a: &[u8], b: &[u8]) -> Vec<u8> {
    // The random numbers have few bits, so that their order is that of doubles.
    let double = |bytes: &[u8]| {
        let (exponent, fraction) = ((bits(bytes) >> 64) as i32 & 0x7fff, bits(bytes) as u64 as f64);
        let magnitude = if fraction == 0.0 { 0.0 } else { fraction * 2f64.powi(exponent - 16383 - 63) };
        if bytes[9] >> 7 == 1 { -magnitude } else { magnitude }
    };
    match kind {
        Kind::Min => {
            if double(a) < double(b) {
                a.to_vec()
            } else {
                b.to_vec()
            }
        }
        Kind::Max => {
            if double(b) < double(a) {
                a.to_vec()
            } else {
                b.to_vec()
            }
        }
        _ => x87(kind, bits(a), bits(b)).to_le_bytes().to_vec(),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn extended(_: Kind, _: &[u8], _: &[u8]) -> Vec<u8> {
    unreachable!("no type has this format here")
}

/// What the standard says of one element.
pub(super) fn model(kind: Kind, basic: Basic, a: &[u8], b: &[u8]) -> Vec<u8> {
    let size = a.len();
    let cut = |value: u128| value.to_le_bytes()[..size].to_vec();
    match (basic, kind) {
        (Basic::Real(float), _) => real(kind, float, a, b),
        (Basic::Complex(float), _) => {
            let ((a0, a1), (b0, b1)) = (a.split_at(size / 2), b.split_at(size / 2));
            let both = |kind, x: &[u8], y: &[u8]| real(kind, float, x, y);
            if kind == Kind::Sum {
                return [both(kind, a0, b0), both(kind, a1, b1)].concat();
            }
            let mut minus = both(Kind::Prod, a1, b1);
            let sign = if float == Float::Extended { 9 } else { minus.len() - 1 };
            minus[sign] ^= 0x80;
            let imaginary = both(Kind::Sum, &both(Kind::Prod, a0, b1), &both(Kind::Prod, a1, b0));
            [both(Kind::Sum, &both(Kind::Prod, a0, b0), &minus), imaginary].concat()
        }
        (_, Kind::Band) => cut(bits(a) & bits(b)),
        (_, Kind::Bor) => cut(bits(a) | bits(b)),
        (_, Kind::Bxor) => cut(bits(a) ^ bits(b)),
        (_, Kind::Land) => cut((bits(a) != 0 && bits(b) != 0).into()),
        (_, Kind::Lor) => cut((bits(a) != 0 || bits(b) != 0).into()),
        (_, Kind::Lxor) => cut(((bits(a) != 0) != (bits(b) != 0)).into()),
        (_, Kind::Sum) => cut(bits(a).wrapping_add(bits(b))),
        (_, Kind::Prod) => cut(bits(a).wrapping_mul(bits(b))),
        (Basic::Signed(_) | Basic::Long, Kind::Min) => cut(signed(a).min(signed(b)) as u128),
        (Basic::Signed(_) | Basic::Long, Kind::Max) => cut(signed(a).max(signed(b)) as u128),
        (_, Kind::Min) => cut(bits(a).min(bits(b))),
        (_, Kind::Max) => cut(bits(a).max(bits(b))),
        _ => panic!("{kind:?} is not defined for {basic:?}"),
    }
}

/// A random element: small and extreme values come often.
pub(super) fn random(basic: Basic, random: &mut fastrand::Rng) -> Vec<u8> {
    let number = |random: &mut fastrand::Rng| random.i64(-1 << 50..1 << 50) >> random.u32(0..50);
    let part = |float, random: &mut fastrand::Rng| match float {
        Float::Half => random.u16(..).to_le_bytes().to_vec(),
        Float::Single => (number(random) as f32 / 1024.0).to_le_bytes().to_vec(),
        Float::Double => (number(random) as f64 / 1024.0).to_le_bytes().to_vec(),
        Float::Quad => quad(number(random).into()).to_le_bytes().to_vec(),
        Float::Extended => {
            let exponent: u128 = random.u128(16383 - 40..16383 + 40);
            let significand = 1 << 63 | random.u128(..1 << 40) << 23;
            (random.u128(0..2) << 79 | exponent << 64 | significand).to_le_bytes().to_vec()
        }
    };
    match basic {
        Basic::Real(float) => part(float, random),
        Basic::Complex(float) => [part(float, random), part(float, random)].concat(),
        Basic::Logical(width) => random.u128(0..3).to_le_bytes()[..width.bytes()].to_vec(),
        other => {
            let value = [random.u128(..), random.u128(0..4), 0, u128::MAX][random.usize(0..4)];
            value.to_le_bytes()[..other.size()].to_vec()
        }
    }
}

/// NaNs are all the same, and the zeros of binary128, of which the model has only one.
pub(super) fn canonical(basic: Basic, bytes: &[u8]) -> Vec<u8> {
    let nan = |float, bytes: &[u8]| match float {
        Float::Half => half(bits(bytes) as u16).is_nan(),
        Float::Single => f32::from_le_bytes(bytes.try_into().unwrap()).is_nan(),
        Float::Double => f64::from_le_bytes(bytes.try_into().unwrap()).is_nan(),
        Float::Quad | Float::Extended => false,
    };
    match basic {
        Basic::Real(float) if nan(float, bytes) => b"NaN".to_vec(),
        Basic::Real(Float::Quad) if bits(bytes) << 1 == 0 => vec![0; 16],
        Basic::Complex(float) => {
            let (a, b) = bytes.split_at(bytes.len() / 2);
            [canonical(Basic::Real(float), a), canonical(Basic::Real(float), b)].concat()
        }
        _ => bytes.to_vec(),
    }
}
