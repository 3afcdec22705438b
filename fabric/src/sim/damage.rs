//! Cables that are cut, crossbars that die, hosts that are switched off: what that does to the frames in them.

use super::channel::{Far, Input, down};
use super::frames::NONE;
use super::network::Network;
use super::stats::DropCause;
use crate::topology::{CrossbarId, HostId, PortId};

impl Network {
    /// Cuts the cable at a port.
    pub(super) fn cut(&mut self, port: PortId) {
        for c in self.both_directions(port) {
            self.take_down(c, down::CUT);
        }
    }

    /// Mends the cable at a port.
    pub(super) fn mend(&mut self, port: PortId) {
        for c in self.both_directions(port) {
            self.outputs[c as usize].down &= !down::CUT;
        }
    }

    /// A crossbar dies, with all the frames in it.
    pub(super) fn kill(&mut self, crossbar: CrossbarId) {
        let (outputs, inputs) = self.around(crossbar);
        let inside: Vec<u32> = self.frames.iter_live().filter(|&f| inputs.contains(&self.frames[f].channel)).collect();
        for frame in inside {
            self.lose(frame, DropCause::CutOff);
        }
        for c in outputs {
            self.take_down(c, down::SENDER);
        }
        for c in inputs {
            self.take_down(c, down::RECEIVER);
        }
    }

    /// A dead crossbar works again.
    pub(super) fn revive(&mut self, crossbar: CrossbarId) {
        let (outputs, inputs) = self.around(crossbar);
        for c in outputs {
            self.outputs[c as usize].down &= !down::SENDER;
        }
        for c in inputs {
            self.outputs[c as usize].down &= !down::RECEIVER;
        }
    }

    /// A host is switched off: its card forgets what it was to send and what it has not handed over.
    pub(super) fn switch_off(&mut self, host: HostId) {
        self.nics[host.0 as usize].up = false;
        let tx = self.first_host_channel + host.0;
        self.cut_off(tx, DropCause::HostDown);
        self.drop_waiting(tx, DropCause::HostDown);
        self.forget_received(host);
    }

    /// A host is switched on, and ready to send at once.
    pub(super) fn switch_on(&mut self, host: HostId) {
        self.forget_received(host);
        let now = self.now();
        let nic = &mut self.nics[host.0 as usize];
        nic.up = true;
        nic.reset(now);
    }

    /// Loses what has begun to come in at a host.
    fn forget_received(&mut self, host: HostId) {
        let rx = self.nics[host.0 as usize].rx;
        if rx == NONE {
            return;
        }
        let begun = self.now().saturating_sub(self.class(rx).flight.into());
        self.lose_where(DropCause::HostDown, |c, start, _| c == rx && start <= begun);
    }

    /// The channels of the cable at a port; none if there is no cable.
    fn both_directions(&self, port: PortId) -> impl Iterator<Item = u32> + use<> {
        let out = self.channel_from(port).filter(|&c| self.class(c).far != Far::Nothing);
        out.into_iter().chain(out.map(|c| self.reverse[c as usize]))
    }

    /// The channels that lead out of a crossbar, and those that lead into it.
    fn around(&self, crossbar: CrossbarId) -> (Vec<u32>, Vec<u32>) {
        let x = crossbar.0 as usize;
        let ports = self.first_output[x]..self.first_output[x + 1];
        let outputs: Vec<u32> = ports.filter(|&c| self.class(c).far != Far::Nothing).collect();
        let inputs = outputs.iter().map(|&c| self.reverse[c as usize]).collect();
        (outputs, inputs)
    }

    /// A channel carries nothing from now on, for this reason.
    fn take_down(&mut self, c: u32, reason: u8) {
        let before = self.outputs[c as usize].down;
        self.outputs[c as usize].down |= reason;
        if before == 0 {
            self.cut_off(c, DropCause::CutOff);
            self.drop_waiting(c, DropCause::DeadLink);
        }
    }

    /// Loses the frames that are committed to a channel and whose tails have not come out of it.
    fn cut_off(&mut self, c: u32, cause: DropCause) {
        let now = self.now();
        let inside_crossbar = self.class(c).inside_crossbar();
        let Input { last_frame: last, last_tail, .. } = self.inputs[c as usize];
        if last != NONE && last_tail > now + inside_crossbar {
            self.lose(last, cause);
        }
        self.lose_where(cause, |on, _, tail| on == c && tail > now + inside_crossbar);
    }

    /// Loses every frame of which `which` says so, given its channel, start and tail.
    fn lose_where(&mut self, cause: DropCause, which: impl Fn(u32, u64, u64) -> bool) {
        let hit = |&f: &u32| which(self.frames[f].channel, self.frames[f].start, self.frames[f].tail);
        let frames: Vec<u32> = self.frames.iter_live().filter(hit).collect();
        for frame in frames {
            self.lose(frame, cause);
        }
    }

    /// Drops the frames that wait for a channel that will not carry them.
    fn drop_waiting(&mut self, c: u32, cause: DropCause) {
        while let Some(frame) = self.frames.pop(&mut self.outputs[c as usize].waiting) {
            self.lose(frame, cause);
            if self.frames[frame].channel == NONE {
                self.frames.remove(frame);
                self.left_nic(c - self.first_host_channel, self.now());
            } else {
                self.drop_at_input(frame);
            }
        }
        self.settle();
    }
}
