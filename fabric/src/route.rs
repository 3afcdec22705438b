//! Source routes: the hop bytes that steer a frame through the crossbars.
//!
//! A hop byte is `0x80 | (delta & 0x7f)`. A crossbar that takes a frame in at port `i` sends it out at
//! `(i + delta) mod 128` and removes the byte. So nobody needs a port's absolute number, and a route is reversed by
//! negating each delta and reversing the order.

use std::fmt;
use std::str::FromStr;

/// The most hops that a route may have.
pub const MAX_HOPS: usize = 63;

/// One hop: how far to move on from the port that the frame came in by, modulo 128.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hop(u8);

impl Hop {
    /// The hop that moves on by `delta` ports, modulo 128.
    pub const fn new(delta: i32) -> Hop {
        Hop(0x80 | (delta & 0x7f) as u8)
    }

    /// The hop from port `from` of a crossbar to its port `to`.
    pub const fn between(from: u8, to: u8) -> Hop {
        Hop::new(to as i32 - from as i32)
    }

    /// Reads a hop byte; `None` if its top bit is clear.
    pub const fn from_byte(byte: u8) -> Option<Hop> {
        if byte & 0x80 != 0 { Some(Hop(byte)) } else { None }
    }

    /// The byte on the wire.
    pub const fn byte(self) -> u8 {
        self.0
    }

    /// The number of ports to move on by, from 0 to 127.
    pub const fn delta(self) -> u8 {
        self.0 & 0x7f
    }

    /// The hop that undoes this one.
    pub const fn reversed(self) -> Hop {
        Hop::new(-(self.delta() as i32))
    }

    /// The port by which a frame leaves that came in at port `from`.
    pub const fn out_of(self, from: u8) -> u8 {
        (from.wrapping_add(self.delta())) & 0x7f
    }
}

impl fmt::Debug for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02x}", self.0)
    }
}

/// A source route: up to [`MAX_HOPS`] hops, the first crossbar's first.
#[derive(Clone, Copy)]
pub struct Route {
    len: u8,
    hops: [u8; MAX_HOPS],
}

/// Why bytes or text are not a route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// More hops than a route can hold.
    #[error("a route has at most {MAX_HOPS} hops, got {0}")]
    TooLong(usize),
    /// A byte without the top bit.
    #[error("hop {index} is {byte:#04x}: a hop byte has its top bit set")]
    NotAHop {
        /// Which hop, from 0.
        index: usize,
        /// The byte that was found.
        byte: u8,
    },
    /// Text that is not hexadecimal pairs.
    #[error("`{0}` is not a list of hop bytes in hexadecimal (or `-` for none)")]
    NotHex(String),
}

impl Route {
    /// The route of no hops: to the host at the other end of the cable.
    pub const EMPTY: Route = Route { len: 0, hops: [0; MAX_HOPS] };

    /// A route of these hops.
    pub fn from_hops(hops: &[Hop]) -> Result<Route, RouteError> {
        let mut route = Route::EMPTY;
        for &hop in hops {
            route.push(hop).map_err(|_| RouteError::TooLong(hops.len()))?;
        }
        Ok(route)
    }

    /// A route from its hop bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Route, RouteError> {
        if bytes.len() > MAX_HOPS {
            return Err(RouteError::TooLong(bytes.len()));
        }
        if let Some(index) = bytes.iter().position(|b| b & 0x80 == 0) {
            return Err(RouteError::NotAHop { index, byte: bytes[index] });
        }
        let mut route = Route { len: bytes.len() as u8, hops: [0; MAX_HOPS] };
        route.hops[..bytes.len()].copy_from_slice(bytes);
        Ok(route)
    }

    /// Adds a hop at the end.
    pub fn push(&mut self, hop: Hop) -> Result<(), RouteError> {
        let slot = self.hops.get_mut(self.len as usize).ok_or(RouteError::TooLong(MAX_HOPS + 1))?;
        *slot = hop.byte();
        self.len += 1;
        Ok(())
    }

    /// Removes the last hop.
    pub fn pop(&mut self) -> Option<Hop> {
        self.len = self.len.checked_sub(1)?;
        Some(Hop(self.hops[self.len as usize]))
    }

    /// This route followed by another.
    pub fn join(&self, then: &Route) -> Result<Route, RouteError> {
        let mut route = *self;
        for hop in then.hops() {
            route.push(hop)?;
        }
        Ok(route)
    }

    /// The number of hops, that is of crossbars.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// True if there is no hop.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The hop bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.hops[..self.len as usize]
    }

    /// The hops, the first crossbar's first.
    pub fn hops(&self) -> impl DoubleEndedIterator<Item = Hop> + ExactSizeIterator + '_ {
        self.as_bytes().iter().map(|&b| Hop(b))
    }

    /// The way back: from the host where this route ends to the one where it starts.
    pub fn reversed(&self) -> Route {
        let mut back = Route::EMPTY;
        for hop in self.hops().rev() {
            back.hops[back.len as usize] = hop.reversed().byte();
            back.len += 1;
        }
        back
    }
}

impl Default for Route {
    fn default() -> Self {
        Route::EMPTY
    }
}

impl PartialEq for Route {
    fn eq(&self, other: &Self) -> bool {
        self.as_bytes() == other.as_bytes()
    }
}
impl Eq for Route {}

impl PartialOrd for Route {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Route {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl std::hash::Hash for Route {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_bytes().hash(state);
    }
}

impl fmt::Display for Route {
    /// The hop bytes in hexadecimal, `-` for none: the form of routes files.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str("-");
        }
        self.as_bytes().iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Route({self})")
    }
}

impl FromStr for Route {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Route, RouteError> {
        if text == "-" {
            return Ok(Route::EMPTY);
        }
        let not_hex = || RouteError::NotHex(text.to_owned());
        if text.is_empty() || !text.len().is_multiple_of(2) || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(not_hex());
        }
        let bytes = (0..text.len())
            .step_by(2)
            .map(|i| u8::from_str_radix(&text[i..i + 2], 16).map_err(|_| not_hex()))
            .collect::<Result<Vec<u8>, _>>()?;
        Route::from_bytes(&bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_hop_is_a_rotation_modulo_128() {
        assert_eq!(Hop::between(3, 1).byte(), 0xfe);
        assert_eq!(Hop::between(3, 1).out_of(3), 1);
        assert_eq!(Hop::new(0).byte(), 0x80);
        assert_eq!(Hop::from_byte(0x7f), None);
    }

    #[test]
    fn text_errors_name_the_fault() {
        assert_eq!("88f887".parse::<Route>().unwrap().to_string(), "88f887");
        assert_eq!("-".parse::<Route>().unwrap(), Route::EMPTY);
        assert_eq!("88f8".parse::<Route>().unwrap().len(), 2);
        assert_eq!("8801".parse::<Route>(), Err(RouteError::NotAHop { index: 1, byte: 1 }));
        for bad in ["", "8", "8é", "+8", "zz"] {
            assert!(matches!(bad.parse::<Route>(), Err(RouteError::NotHex(_))), "{bad}");
        }
        assert_eq!("80".repeat(64).parse::<Route>(), Err(RouteError::TooLong(64)));
    }

    proptest! {
        #[test]
        fn reversing_undoes_every_hop(ports in prop::collection::vec((0u8..128, 0u8..128), 0..=MAX_HOPS)) {
            let hops: Vec<Hop> = ports.iter().map(|&(i, o)| Hop::between(i, o)).collect();
            let route = Route::from_hops(&hops).unwrap();
            let back = route.reversed();
            prop_assert_eq!(back.reversed(), route);
            for (hop, &(i, o)) in back.hops().zip(ports.iter().rev()) {
                prop_assert_eq!(hop.out_of(o), i);
            }
            prop_assert_eq!(route.to_string().parse::<Route>().unwrap(), route);
        }
    }
}
