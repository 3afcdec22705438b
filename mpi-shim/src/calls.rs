//! Which call of the standard the program is in, and, for `mpirun --report`, how often and for how long it was in which.
//!
//! Without a report a call costs one store and one look at a flag here.
#![allow(unsafe_code)]
#![allow(clippy::disallowed_methods)] // Taking the time is the job of this file.

use rustc_hash::FxHashMap;
use std::cell::Cell;
use std::ffi::{CStr, c_char};
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU8, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Calls are counted and timed.
const TIMED: u8 = 1;
/// Several threads may be in calls at once.
const THREADS: u8 = 2;

static MODE: AtomicU8 = AtomicU8::new(0);
static CURRENT: AtomicPtr<c_char> = AtomicPtr::new(ptr::null_mut());
static TALLIES: Mutex<Option<FxHashMap<usize, Tally>>> = Mutex::new(None);

thread_local! {
    /// The call that this thread is in, where there are several.
    static OWN: Cell<*const c_char> = const { Cell::new(ptr::null()) };
    /// Calls that this thread is in: more than one while a function of the program runs that a call has called.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// How often the program was in a call, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The call's name.
    pub name: &'static CStr,
    /// How often.
    pub count: u64,
    /// How long in all. What a call's callback does in other calls counts there as well.
    pub time: Duration,
    /// The part of that which no other call contains.
    pub outermost: Duration,
}

/// A call whose time is taken.
#[derive(Debug)]
pub(crate) struct Timed(Instant);

/// The name of a call, from a text that ends with a zero byte.
pub(crate) const fn name(text: &'static str) -> &'static CStr {
    match CStr::from_bytes_with_nul(text.as_bytes()) {
        Ok(name) => name,
        Err(_) => panic!("expected one zero byte, at the end"),
    }
}

/// Begins a call.
#[inline]
pub(crate) fn enter(name: &'static CStr) -> Option<Timed> {
    CURRENT.store(name.as_ptr().cast_mut(), Ordering::Relaxed);
    if MODE.load(Ordering::Relaxed) == 0 { None } else { enter_watched(name) }
}

#[cold]
fn enter_watched(name: &'static CStr) -> Option<Timed> {
    OWN.set(name.as_ptr());
    (MODE.load(Ordering::Relaxed) & TIMED != 0).then(|| {
        DEPTH.set(DEPTH.get() + 1);
        Timed(Instant::now())
    })
}

/// Ends a call whose time is taken.
#[cold]
pub(crate) fn leave(name: &'static CStr, Timed(begun): Timed) {
    let time = begun.elapsed();
    // A call that began the report was not counted when it began.
    let depth = DEPTH.get().saturating_sub(1);
    DEPTH.set(depth);
    let mut tallies = TALLIES.lock().unwrap_or_else(PoisonError::into_inner);
    let fresh = Tally { name, count: 0, time: Duration::ZERO, outermost: Duration::ZERO };
    let tally = tallies.get_or_insert_default().entry(name.as_ptr().addr()).or_insert(fresh);
    tally.count += 1;
    tally.time += time;
    if depth == 0 {
        tally.outermost += time;
    }
}

/// The call that this thread is in, or was in last.
pub fn current() -> &'static str {
    let name = match MODE.load(Ordering::Relaxed) & THREADS {
        0 => CURRENT.load(Ordering::Relaxed).cast_const(),
        _ => OWN.get(),
    };
    if name.is_null() {
        return "MPI";
    }
    // SAFETY: only pointers of static texts with a zero byte at their ends are stored.
    unsafe { CStr::from_ptr(name) }.to_str().unwrap_or("MPI")
}

/// Begins to count and to time calls.
pub fn watch() {
    MODE.fetch_or(TIMED, Ordering::Relaxed);
}

/// Says that several threads may be in calls at once.
pub fn allow_threads() {
    MODE.fetch_or(THREADS, Ordering::Relaxed);
}

/// What was counted, by name.
pub fn tallies() -> Vec<Tally> {
    let tallies = TALLIES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut list: Vec<Tally> = tallies.iter().flat_map(FxHashMap::values).copied().collect();
    list.sort_unstable_by_key(|tally| tally.name);
    list
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTER: &CStr = name("MPI_Outer\0");
    const INNER: &CStr = name("MPI_Inner\0");

    // One test: what it changes belongs to the process.
    #[test]
    fn calls_are_known_and_counted_when_asked_for() {
        assert!(enter(OUTER).is_none());
        assert_eq!(current(), "MPI_Outer");
        assert_eq!(tallies(), []);
        watch();
        allow_threads();
        let outer = enter(OUTER).expect("it is timed");
        for _ in 0..2 {
            let inner = enter(INNER).expect("it is timed");
            assert_eq!(current(), "MPI_Inner");
            leave(INNER, inner);
        }
        leave(OUTER, outer);
        let [inner, outer] = tallies()[..] else { panic!("{:?}", tallies()) };
        assert_eq!((inner.name, inner.count, inner.outermost), (INNER, 2, Duration::ZERO));
        assert_eq!((outer.name, outer.count, outer.outermost), (OUTER, 1, outer.time));
        assert!(outer.time >= inner.time);
    }
}
