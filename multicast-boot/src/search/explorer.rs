//! Which hop strings to try: the crossbars that were found, and where it may go on behind them.
//!
//! Crossbars are anonymous, so each hop string that leads to one gives it a name, a [`Junction`]; one crossbar may get many. Depth
//! first, so that one branch is searched to its hosts before the next; on a fat tree one branch reaches all hosts. A host
//! that is known already says that its crossbar has another name, and then this one is put off, and so is a branch of
//! which the first few crossbars were put off. Routes are at first no longer than the one that was known, and become
//! longer when all of those were tried, or many.

use std::collections::BTreeMap;
use twowire_fabric::id::UniqueId;
use twowire_fabric::route::{Hop, Route};

/// Names of crossbars, at most.
const MAX_JUNCTIONS: usize = 4096;

/// A branch whose first so many crossbars have other names, and none has a new one, is put off.
const STALE: u32 = 3;

/// The numbers of ports that crossbars are built with.
const RADICES: [i32; 13] = [4, 6, 8, 12, 16, 24, 32, 36, 40, 48, 64, 96, 128];

/// A question about what is behind a port of a crossbar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// Is a host at the other end of the own cable?
    Direct,
    /// Is it a host?
    Host { junction: usize, hop: Hop },
    /// Is it a crossbar?
    Crossbar { junction: usize, hop: Hop },
}

/// A name of a crossbar: a way to it.
struct Junction {
    /// The hops of the crossbars before it.
    route: Route,
    parent: usize,
    /// Ports of which it is to be asked whether there is a host.
    hosts: Vec<Hop>,
    /// Ports without a host, of which it is to be asked whether there is a crossbar.
    crossbars: Vec<Hop>,
    /// Known by another name, as it seems.
    put_off: bool,
    /// Something new was found on it or behind it.
    fresh: bool,
    /// Crossbars behind it that were put off.
    stale: u32,
}

/// The search of the fabric.
pub(super) struct Explorer {
    own_id: UniqueId,
    junctions: Vec<Junction>,
    /// Junctions to ask, the next one last.
    open: Vec<usize>,
    /// By which junction each host was found.
    hosts: BTreeMap<UniqueId, usize>,
    /// The smallest and the largest distance between two ports of the first crossbar, as far as it is known.
    span: (i32, i32),
    asked_direct: bool,
    /// Questions about the first crossbar that are not answered yet: until they are, nobody knows how many ports to ask.
    root_pending: u32,
    first_limit: usize,
    /// Hops of the longest route that is tried now.
    limit: usize,
    max_hops: usize,
    budget: u32,
    left: u32,
    /// How often it started anew: crossbars may be wider than the first one showed.
    rounds: usize,
    rng: fastrand::Rng,
}

impl Explorer {
    pub(super) fn new(own_id: UniqueId, limit: usize, max_hops: usize, budget: u32, rng: fastrand::Rng) -> Explorer {
        // A probe that turns round behind the last crossbar but one goes twice as far.
        let max_hops = max_hops.clamp(1, 31);
        let mut explorer = Explorer {
            own_id,
            junctions: Vec::new(),
            open: Vec::new(),
            hosts: BTreeMap::new(),
            span: (0, 0),
            asked_direct: false,
            root_pending: 0,
            first_limit: limit.clamp(1, max_hops),
            limit: 0,
            max_hops,
            budget,
            left: 0,
            rounds: 0,
            rng,
        };
        explorer.start();
        explorer
    }

    /// Forgets everything, and starts in another order.
    pub(super) fn restart(&mut self) {
        self.rounds += 1;
        self.start();
    }

    fn start(&mut self) {
        self.junctions.clear();
        self.hosts = BTreeMap::from([(self.own_id, 0)]);
        (self.asked_direct, self.root_pending) = (false, 0);
        (self.limit, self.left) = (self.first_limit, self.budget);
        self.open.clear();
        self.add_junction(Route::EMPTY, 0, (1..128).map(Hop::new).collect());
    }

    /// True if [`Explorer::next`] has a question.
    pub(super) fn has_questions(&self) -> bool {
        let waits = self.root_pending > 0 && self.open.last() == Some(&0) && !self.has_more(0);
        !self.asked_direct || !waits && (!self.open.is_empty() || self.limit < self.max_hops)
    }

    /// The next question; `None` if all was asked, or if an answer must come first.
    pub(super) fn next(&mut self) -> Option<Question> {
        if !self.asked_direct {
            self.asked_direct = true;
            return Some(Question::Direct);
        }
        if self.left == 0 {
            self.open.clear();
        }
        loop {
            let Some(&junction) = self.open.last() else {
                self.look_further()?;
                continue;
            };
            if let Some(question) = self.question_of(junction) {
                self.left = self.left.saturating_sub(1);
                return Some(question);
            }
            if junction == 0 && self.root_pending > 0 {
                return None;
            }
            self.open.pop();
        }
    }

    fn question_of(&mut self, junction: usize) -> Option<Question> {
        if self.is_put_off(junction) {
            return None;
        }
        let goes_on = self.goes_on(junction);
        let this = &mut self.junctions[junction];
        let question = match this.hosts.pop() {
            Some(hop) => Some(Question::Host { junction, hop }),
            None if goes_on => this.crossbars.pop().map(|hop| Question::Crossbar { junction, hop }),
            None => None,
        };
        self.root_pending += u32::from(junction == 0 && question.is_some());
        question
    }

    /// True if hosts on crossbars behind this one are within the limit.
    fn goes_on(&self, junction: usize) -> bool {
        self.junctions[junction].route.len() + 2 <= self.limit && self.junctions.len() < MAX_JUNCTIONS
    }

    /// True if the junction or a branch that it is on was put off.
    fn is_put_off(&self, mut junction: usize) -> bool {
        while junction != 0 && !self.junctions[junction].put_off {
            junction = self.junctions[junction].parent;
        }
        junction != 0
    }

    /// Longer routes; `None` if there are none.
    fn look_further(&mut self) -> Option<()> {
        if self.limit >= self.max_hops || self.root_pending > 0 {
            return None;
        }
        self.limit += 1;
        self.left = self.budget;
        self.open = (0..self.junctions.len()).filter(|&i| self.has_more(i)).collect();
        self.rng.shuffle(&mut self.open);
        Some(())
    }

    fn has_more(&self, junction: usize) -> bool {
        let this = &self.junctions[junction];
        !self.is_put_off(junction) && (!this.hosts.is_empty() || !this.crossbars.is_empty() && self.goes_on(junction))
    }

    /// The hops of the probe that asks a question.
    pub(super) fn probe_route(&self, question: Question) -> Route {
        let (junction, hop, turns) = match question {
            Question::Direct => return Route::EMPTY,
            Question::Host { junction, hop } => (junction, hop, false),
            Question::Crossbar { junction, hop } => (junction, hop, true),
        };
        let there = &self.junctions[junction].route;
        let hops = |hops: &[Hop]| Route::from_hops(hops).expect("at most three hops");
        let route = if turns {
            // Turn round behind the port, and come back the same way.
            there.join(&hops(&[hop, Hop::new(0), hop.reversed()])).and_then(|route| route.join(&there.reversed()))
        } else {
            there.join(&hops(&[hop]))
        };
        route.expect("routes are bounded by the limit")
    }

    /// A host answered.
    pub(super) fn host(&mut self, question: Question, id: UniqueId) {
        let Question::Host { junction, hop } = question else { return };
        self.seen(junction, hop);
        match self.hosts.get(&id) {
            Some(&other) if other != junction => self.put_off(junction),
            Some(_) => {}
            None => {
                self.hosts.insert(id, junction);
                self.refresh(junction);
            }
        }
    }

    /// The probe came back to its sender.
    pub(super) fn came_back(&mut self, question: Question) {
        match question {
            Question::Crossbar { junction, hop } => {
                self.seen(junction, hop);
                let Ok(route) = self.junctions[junction].route.join(&Route::from_hops(&[hop]).expect("one hop")) else {
                    return;
                };
                let ports = self.ports();
                self.add_junction(route, junction, ports);
            }
            Question::Host { .. } => self.host(question, self.own_id),
            Question::Direct => {}
        }
    }

    /// Nobody answered.
    pub(super) fn silent(&mut self, question: Question) {
        match question {
            Question::Host { junction, hop } => {
                self.junctions[junction].crossbars.push(hop);
                self.answered_by_root(junction);
            }
            Question::Crossbar { junction, .. } => self.answered_by_root(junction),
            Question::Direct => {}
        }
    }

    /// Something is behind a port.
    fn seen(&mut self, junction: usize, hop: Hop) {
        self.answered_by_root(junction);
        if junction == 0 {
            let delta = signed(hop);
            self.span = (self.span.0.min(delta), self.span.1.max(delta));
        }
    }

    fn answered_by_root(&mut self, junction: usize) {
        if junction == 0 {
            self.root_pending = self.root_pending.saturating_sub(1);
        }
    }

    /// The ports to ask of a crossbar, in random order: as far around as crossbars have ports, by the first one.
    fn ports(&mut self) -> Vec<Hop> {
        let used = self.span.1 - self.span.0 + 1;
        let shown = RADICES.iter().position(|&radix| radix >= used).unwrap_or(RADICES.len() - 1);
        let radix = RADICES[(shown + self.rounds).min(RADICES.len() - 1)];
        let mut ports: Vec<Hop> = (1..128).map(Hop::new).filter(|&hop| signed(hop).abs() < radix).collect();
        self.rng.shuffle(&mut ports);
        ports
    }

    fn add_junction(&mut self, route: Route, parent: usize, mut hosts: Vec<Hop>) {
        self.rng.shuffle(&mut hosts);
        let junction = Junction { route, parent, hosts, crossbars: Vec::new(), put_off: false, fresh: false, stale: 0 };
        let index = self.junctions.len();
        self.junctions.push(junction);
        // The first crossbar comes first, until all of it is known.
        let place = if parent == 0 { self.open.iter().position(|&i| i == 0) } else { None };
        self.open.insert(place.unwrap_or(self.open.len()), index);
    }

    /// Something new was found here: the branch is worth its probes.
    fn refresh(&mut self, junction: usize) {
        let mut at = junction;
        while !self.junctions[at].fresh {
            self.junctions[at].fresh = true;
            at = self.junctions[at].parent;
        }
    }

    /// A junction has another name, and so, perhaps, has the branch that it is on.
    fn put_off(&mut self, junction: usize) {
        let mut at = junction;
        while at != 0 && !self.junctions[at].put_off {
            self.junctions[at].put_off = true;
            at = self.junctions[at].parent;
            self.junctions[at].stale += 1;
            if self.junctions[at].stale < STALE || self.junctions[at].fresh {
                return;
            }
        }
    }
}

/// A hop as ports up or down.
fn signed(hop: Hop) -> i32 {
    let delta = i32::from(hop.delta());
    if delta >= 64 { delta - 128 } else { delta }
}
