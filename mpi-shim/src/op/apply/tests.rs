//! Every predefined operation over every predefined type, against a model that calculates one element.

mod model;

use crate::datatype::{self, Basic, Datatype, Family, Float, Shape};
use crate::op::{self, Function, Kind, Op, PREDEFINED, apply, combine};
use model::{canonical, model, quad, random, x87};
use std::sync::Arc;

/// Lengths around those of vectors.
const COUNTS: [usize; 5] = [0, 1, 3, 37, 200];

fn types() -> impl Iterator<Item = Arc<Datatype>> {
    datatype::predefined().into_iter().flatten()
}

fn operation(kind: Kind) -> Op {
    Op { commutative: true, function: Function::Predefined(kind) }
}

/// The result in each of the ways in which it can be had.
fn results(op: &Op, datatype: &Datatype, left: &[u8], right: &[u8], count: usize) -> [Vec<u8>; 4] {
    let (mut onto, mut out) = (right.to_vec(), vec![0; right.len()]);
    let (mut out_left, mut out_right) = (left.to_vec(), right.to_vec());
    // SAFETY: all have `count` elements, and overlap only as is allowed.
    unsafe {
        apply(op, datatype, left.as_ptr(), onto.as_mut_ptr(), count).unwrap();
        combine(op, datatype, left.as_ptr(), right.as_ptr(), out.as_mut_ptr(), count).unwrap();
        combine(op, datatype, out_left.as_ptr(), right.as_ptr(), out_left.as_mut_ptr(), count).unwrap();
        combine(op, datatype, left.as_ptr(), out_right.as_ptr(), out_right.as_mut_ptr(), count).unwrap();
    }
    [onto, out, out_left, out_right]
}

#[test]
fn every_operation_over_every_type_gives_what_the_model_gives() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut pairs = 0;
    for datatype in types() {
        let Some(Shape::One(basic)) = datatype.role().map(|role| role.shape) else { continue };
        for (_, name, kind) in PREDEFINED {
            let op = operation(kind);
            if op::check(&op, &datatype).is_err() {
                continue;
            }
            pairs += 1;
            for count in COUNTS {
                let elements = |rng: &mut _| (0..count).flat_map(|_| random(basic, rng)).collect::<Vec<_>>();
                let (left, right) = (elements(&mut rng), elements(&mut rng));
                for (way, result) in results(&op, &datatype, &left, &right, count).iter().enumerate() {
                    let each = left.chunks(basic.size()).zip(right.chunks(basic.size()));
                    for ((a, b), got) in each.zip(result.chunks(basic.size())) {
                        let expected = canonical(basic, &model(kind, basic, a, b));
                        assert_eq!(
                            canonical(basic, got),
                            expected,
                            "{name} {} {a:?} {b:?} way {way}",
                            datatype.name().to_string_lossy()
                        );
                    }
                }
            }
        }
    }
    // 2 × 37 (min, max) + 2 × 49 (sum, product) + 3 × 27 (logical) + 3 × 29 (bitwise).
    assert_eq!(pairs, 340, "pairs of an operation and a type that the standard defines");
}

#[test]
fn operations_take_the_types_that_the_standard_lists() {
    let allowed = |name: &str, datatype: &str| {
        let family = types().find(|each| each.name().to_str() == Ok(datatype)).unwrap().role().unwrap().family;
        let op = operation(PREDEFINED.iter().find(|row| row.1 == name).unwrap().2);
        let taken = op::check(&op, &types().find(|each| each.name().to_str() == Ok(datatype)).unwrap()).is_ok();
        (taken, family)
    };
    for (name, datatype, expected) in [
        ("MPI_SUM", "MPI_C_DOUBLE_COMPLEX", true),
        ("MPI_MAX", "MPI_COMPLEX", false),
        ("MPI_SUM", "MPI_CHAR", true),
        ("MPI_SUM", "MPI_WCHAR", false),
        ("MPI_SUM", "MPI_CHARACTER", false),
        ("MPI_SUM", "MPI_C_BOOL", false),
        ("MPI_LAND", "MPI_C_BOOL", true),
        ("MPI_LAND", "MPI_DOUBLE", false),
        ("MPI_LAND", "MPI_INTEGER", false),
        ("MPI_BAND", "MPI_INTEGER", true),
        ("MPI_BAND", "MPI_BYTE", true),
        ("MPI_BXOR", "MPI_FLOAT", false),
        ("MPI_MAX", "MPI_AINT", true),
        ("MPI_MAX", "MPI_2INT", false),
        ("MPI_MAXLOC", "MPI_2INT", true),
        ("MPI_MINLOC", "MPI_INT", false),
        ("MPI_REPLACE", "MPI_INT", false),
        ("MPI_NO_OP", "MPI_INT", false),
    ] {
        assert_eq!(allowed(name, datatype).0, expected, "{name} over {datatype} ({:?})", allowed(name, datatype).1);
    }
}

/// A value and an index as bytes of a pair.
fn pair(value: Basic, index: Basic, extent: usize, v: i64, i: i64) -> Vec<u8> {
    let one = |basic: Basic, number: i64| -> Vec<u8> {
        match basic {
            Basic::Real(Float::Single) => (number as f32).to_le_bytes().to_vec(),
            Basic::Real(Float::Double) => (number as f64).to_le_bytes().to_vec(),
            Basic::Real(Float::Quad) => quad(number.into()).to_le_bytes().to_vec(),
            Basic::Real(Float::Extended) => {
                let wide = quad(number.into());
                let significand = if number == 0 { 0 } else { 1 << 63 | (wide >> 49 & ((1 << 63) - 1)) };
                ((wide >> 112) << 64 | significand).to_le_bytes().to_vec()
            }
            other => i128::from(number).to_le_bytes()[..other.size()].to_vec(),
        }
    };
    let mut bytes = one(value, v);
    bytes.resize(value.size().next_multiple_of(index.alignment()), 0);
    bytes.extend(one(index, i));
    bytes.resize(extent, 0);
    bytes
}

#[test]
fn locations_of_extremes_are_those_of_the_model() {
    let all: Vec<Arc<Datatype>> = types().filter(|each| each.role().unwrap().family == Family::Pair).collect();
    assert_eq!(all.len(), 9);
    let mut rng = fastrand::Rng::with_seed(11);
    for datatype in all {
        let Some(Shape::Pair(value, index)) = datatype.role().map(|role| role.shape) else { panic!("a pair") };
        let extent = datatype.extent() as usize;
        let mut numbers = || (0..50).map(|_| (rng.i64(-4..4), rng.i64(0..9))).collect::<Vec<_>>();
        let (left, right) = (numbers(), numbers());
        let bytes = |all: &[(i64, i64)]| -> Vec<u8> {
            all.iter().flat_map(|&(v, i)| pair(value, index, extent, v, i)).collect()
        };
        for (kind, sign) in [(Kind::Minloc, 1), (Kind::Maxloc, -1)] {
            let best: Vec<_> = left.iter().zip(&right).map(|(&a, &b)| a.min_by_key(b, sign)).collect();
            for result in results(&operation(kind), &datatype, &bytes(&left), &bytes(&right), 50) {
                assert_eq!(result, bytes(&best), "{kind:?} {value:?} {index:?}");
            }
        }
    }
}

trait MinByKey {
    fn min_by_key(self, other: Self, sign: i64) -> Self;
}

impl MinByKey for (i64, i64) {
    /// The pair with the least value (times the sign), and of equal ones that with the least index.
    fn min_by_key(self, other: Self, sign: i64) -> Self {
        if (self.0 * sign, self.1) <= (other.0 * sign, other.1) { self } else { other }
    }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn soft_extended_numbers_are_the_x87s() {
    use crate::op::number::{Extended, Number};
    let mut rng = fastrand::Rng::with_seed(3);
    let nan = |bits: u128| bits >> 64 & 0x7fff == 0x7fff && bits << 65 != 0;
    for step in 0..200_000 {
        // Exponents near one another, near the ends, and special ones.
        let near = rng.u128(0..0x7fff);
        let number = |rng: &mut fastrand::Rng| {
            let exponent =
                [0, 1, 0x7ffe, 0x7fff, near, near, (near + rng.u128(0..70)).min(0x7fff), 0x3fff][rng.usize(0..8)];
            let fraction = [0, 1, (1 << 63) - 1, rng.u128(..1 << 63), rng.u128(..1 << 63)][rng.usize(0..5)];
            let integer = u128::from(exponent != 0) << 63;
            rng.u128(0..2) << 79 | exponent << 64 | integer | fraction
        };
        let (a, b) = (number(&mut rng), number(&mut rng));
        for (kind, soft) in
            [(Kind::Sum, Extended(a).plus(Extended(b)).0), (Kind::Prod, Extended(a).times(Extended(b)).0)]
        {
            let machine = x87(kind, a, b);
            assert!(
                soft == machine || (nan(soft) && nan(machine)),
                "{step} {kind:?} {a:#x} {b:#x}: {soft:#x} {machine:#x}"
            );
        }
    }
}

/// Sums and products of doubles are exact in binary128, where their errors are known to be doubles too.
#[test]
fn soft_quads_hold_what_doubles_lose() {
    use crate::op::number::{Number, Quad};
    let widen = |value: f64| -> Quad {
        let bits = value.to_bits();
        let exponent = u128::from(bits >> 52 & 0x7ff);
        let exponent = if value == 0.0 { 0 } else { exponent + 16383 - 1023 };
        Quad(u128::from(bits >> 63) << 127 | exponent << 112 | u128::from(bits & ((1 << 52) - 1)) << 60)
    };
    let mut rng = fastrand::Rng::with_seed(5);
    for _ in 0..50_000 {
        let mut number = || (rng.f64() - 0.5) * 2f64.powi(rng.i32(-20..20));
        let (a, b) = (number(), number());
        let sum = a + b;
        let part = sum - a;
        let lost = (a - (sum - part)) + (b - part);
        assert_eq!(widen(a).plus(widen(b)).0, widen(sum).plus(widen(lost)).0, "{a} + {b}");
        let product = a * b;
        let lost = a.mul_add(b, -product);
        assert_eq!(widen(a).times(widen(b)).0, widen(product).plus(widen(lost)).0, "{a} × {b}");
    }
    assert!(widen(-1.5).less(widen(1.0)) && !widen(1.0).less(widen(1.0)) && widen(-3.0).less(widen(-2.0)));
    assert!(!widen(0.0).less(Quad(1 << 127)) && !Quad(1 << 127).less(widen(0.0)), "zeros are equal");
}

#[test]
fn users_functions_get_their_arguments_in_order() {
    use std::ffi::{c_int, c_void};
    unsafe extern "C" fn minus(
        from: *mut c_void,
        into: *mut c_void,
        len: *mut c_int,
        _: *mut crate::abi::MPI_Datatype,
    ) {
        // SAFETY: called below with arrays of so many integers.
        unsafe {
            for index in 0..*len as usize {
                let into = into.cast::<i32>().add(index);
                into.write(from.cast::<i32>().add(index).read() - into.read());
            }
        }
    }
    let op = Op::user(minus, false);
    let int = types().find(|each| each.name().as_c_str() == c"MPI_INT").unwrap();
    let (left, mut right, mut out) = ([10, 20, 30], [1, 2, 3], [0; 3]);
    let (l, r) = (left.as_ptr().cast(), right.as_mut_ptr());
    // SAFETY: three integers each.
    unsafe { combine(&op, &int, l, r.cast(), out.as_mut_ptr().cast(), 3).unwrap() };
    assert_eq!((out, right), ([9, 18, 27], [1, 2, 3]));
    // SAFETY: as above.
    unsafe { apply(&op, &int, l, right.as_mut_ptr().cast(), 3).unwrap() };
    assert_eq!(right, [9, 18, 27]);
}
