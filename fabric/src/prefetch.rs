//! Asking memory for data ahead of its use: for programs whose state is larger than the processor's caches.
#![allow(unsafe_code)]

/// Bytes that a cache holds together.
const LINE: usize = 64;

/// Asks for all of a value, but not for what it points to, and does not wait: it changes nothing but the speed. On processors for which
/// this is not known it does nothing.
pub fn prefetch<T: ?Sized>(value: &T) {
    let start = std::ptr::from_ref(value).cast::<u8>();
    let in_line = start.addr() % LINE;
    for offset in (0..in_line + size_of_val(value)).step_by(LINE) {
        prefetch_line(start.wrapping_sub(in_line).wrapping_add(offset));
    }
}

#[inline]
fn prefetch_line(address: *const u8) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction is a hint. It reads and writes nothing that the program can see, and no address makes it fail.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(address.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}
