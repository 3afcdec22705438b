//! What can be set about a reliable endpoint.

use crate::wire::DEFAULT_MAX_PAYLOAD;
use std::time::Duration;

/// The largest window, in frames: its bitmap takes 512 bytes of an acknowledgement.
pub const MAX_WINDOW: u16 = 4096;

/// The limits and timers of a reliable endpoint. The defaults suit links of 1 to 100 Gb/s.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointConfig {
    /// The largest payload of a frame: at most what the port carries, and at least [`MIN_PAYLOAD`].
    pub max_payload: usize,
    /// The largest payload of a frame where a path is found to carry longer ones; no path is asked if that is no more than `max_payload`.
    pub long_payload: usize,
    /// The longest message, in bytes, sent or received.
    pub max_message: usize,
    /// Data frames of one peer that are held here out of order or because nobody has taken their messages; at most
    /// [`MAX_WINDOW`].
    pub window: u16,
    /// Bytes of all peers' received messages that nobody has taken; beyond it a peer gets a window of a few frames.
    pub receive_memory: usize,
    /// Bytes of messages to one peer that are not yet delivered; beyond it `send` would block. A message of any legal
    /// length is taken if none is waiting.
    pub send_memory: usize,
    /// Messages to one peer that are not yet delivered; beyond it `send` would block.
    pub send_messages: usize,
    /// Most peers, wanted or not.
    pub max_peers: usize,
    /// Most paths to one peer; further ones are ignored.
    pub max_paths: usize,
    /// Bytes to one peer from which on several paths are used at once. Less keeps to one path and so in order.
    pub spread_from: usize,
    /// The first congestion window of a path, in frames.
    pub initial_window: u32,
    /// The largest congestion window of a path, in frames.
    pub max_path_window: u32,
    /// Time that frames may spend in queues, beyond a path's smallest round trip, before its window shrinks.
    pub queueing_target: Duration,
    /// Data frames that one acknowledgement may cover.
    pub ack_every: u32,
    /// How long an acknowledgement may be held back, here and at the peer.
    pub max_ack_delay: Duration,
    /// The shortest silence after which a path is pinged.
    pub min_ping_timeout: Duration,
    /// The silence after which a path of unknown round trip is pinged, and an open is repeated.
    pub initial_timeout: Duration,
    /// The longest interval between two pings or opens.
    pub max_ping_interval: Duration,
    /// First interval between two pings on a path that is down; it doubles up to `max_ping_interval`.
    pub probe_interval: Duration,
    /// The silence after which a peer that owes an answer is unreachable.
    pub peer_timeout: Duration,
    /// Ping a peer that has been silent for so long.
    pub keepalive: Option<Duration>,
}

/// The payload that a port must carry, in bytes: acknowledgements of a small window fit.
pub const MIN_PAYLOAD: usize = 512;

/// Bytes of an acknowledgement's payload that are kept for echoes.
const ECHOES: usize = 32 * 9;

impl EndpointConfig {
    /// The same, brought within what the frames can say.
    pub(super) fn bounded(mut self) -> EndpointConfig {
        self.max_payload = self.max_payload.clamp(MIN_PAYLOAD, u16::MAX.into());
        self.long_payload = self.long_payload.clamp(self.max_payload, u16::MAX.into());
        let bitmap_bits = (self.max_payload - ECHOES) * 8;
        self.window = self.window.clamp(1, u16::try_from(bitmap_bits).unwrap_or(MAX_WINDOW).min(MAX_WINDOW));
        self.max_message = self.max_message.min(u32::MAX as usize);
        self.max_paths = self.max_paths.clamp(1, 32);
        self
    }
}

impl Default for EndpointConfig {
    fn default() -> Self {
        EndpointConfig {
            max_payload: DEFAULT_MAX_PAYLOAD,
            long_payload: 0,
            max_message: 64 << 20,
            window: 512,
            receive_memory: 256 << 20,
            send_memory: 64 << 20,
            send_messages: 65_536,
            max_peers: 65_536,
            max_paths: 16,
            spread_from: 64 << 10,
            initial_window: 32,
            max_path_window: 256,
            queueing_target: Duration::from_micros(300),
            ack_every: 8,
            max_ack_delay: Duration::from_micros(50),
            min_ping_timeout: Duration::from_micros(100),
            initial_timeout: Duration::from_millis(1),
            max_ping_interval: Duration::from_millis(100),
            probe_interval: Duration::from_millis(5),
            peer_timeout: Duration::from_secs(2),
            keepalive: None,
        }
    }
}
