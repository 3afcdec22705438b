//! Who feeds whom after the layout: nodes that die, come back, or come late.

use super::cabling::EDGES_PER_IMAGE;
use super::member::Link;
use super::progress::{BootEvent, FailureReason, NodeFailure, Reached};
use super::root::BootRoot;
use twowire_fabric::id::NodeNumber;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Stage, TREES};

/// How many parents are tried for which there is no route.
const MAX_TRIED: usize = 8;

impl BootRoot {
    /// Notes who feeds a node in a tree.
    pub(super) fn link(&mut self, index: usize, tree: usize, link: Link) {
        if let Some(parent) = self.index_of(link.parent) {
            self.members[parent].children[tree].push(index);
        }
        self.members[index].links[tree] = Some(link);
        self.members[index].orphaned[tree] = false;
    }

    /// Nobody feeds the node in this tree any more.
    fn unlink(&mut self, index: usize, tree: usize) {
        let Some(link) = self.members[index].links[tree].take() else { return };
        self.cabling.lift(&link.laid);
        if let Some(parent) = self.index_of(link.parent) {
            self.members[parent].children[tree].retain(|&child| child != index);
            self.release_if_idle(parent);
        }
    }

    pub(super) fn unlink_all(&mut self, index: usize) {
        (0..TREES).for_each(|tree| self.unlink(index, tree));
    }

    /// A node that has the image, and on which nobody depends, may hand over.
    pub(super) fn release_if_idle(&mut self, index: usize) {
        let member = &mut self.members[index];
        if member.reached.stage == Stage::Verified && member.failed.is_none() && member.child_count() == 0 {
            member.released = true;
            self.instruct(index, false);
        }
    }

    /// The node is to be told who feeds it.
    pub(super) fn assign_anew(&mut self, index: usize) {
        self.members[index].revision += 1;
        self.assign(index);
    }

    /// The node cannot hear its parent in a tree. The parent is asked first whether it lives: if not, all whom it fed
    /// are provided for together.
    pub(super) fn is_orphaned(&mut self, now: Time, index: usize, tree: usize) {
        if !self.members[index].is_fed() {
            return;
        }
        let Some(silent) = self.members[index].links[tree].as_ref().map(|link| link.parent) else { return };
        self.members[index].orphaned[tree] = true;
        match self.index_of(silent) {
            Some(parent) if self.members[parent].failed.is_none() => self.suspect(now, parent),
            _ => self.leave_parent(now, index, tree),
        }
    }

    /// Somebody says that a node is silent: it is asked.
    fn suspect(&mut self, now: Time, index: usize) {
        let member = &mut self.members[index];
        if member.queries == 0 {
            member.queries = 1;
            member.query_at = now;
            self.instruct(index, true);
        }
    }

    /// A node that was asked whether it lives does: those that cannot hear it get other parents.
    pub(super) fn is_alive(&mut self, now: Time, index: usize) {
        for tree in 0..TREES {
            for child in self.members[index].children[tree].clone() {
                if self.members[child].orphaned[tree] {
                    self.leave_parent(now, child, tree);
                }
            }
        }
    }

    /// A node gets another parent than the one that it has.
    fn leave_parent(&mut self, now: Time, index: usize, tree: usize) {
        let member = &mut self.members[index];
        member.avoid[tree] = member.links[tree].as_ref().map(|link| link.parent);
        self.adopt(now, index, tree);
        self.assign_anew(index);
    }

    /// Finds a parent for a node in a tree; without any, the node has failed.
    pub(super) fn adopt(&mut self, now: Time, index: usize, tree: usize) {
        self.unlink(index, tree);
        let child = self.members[index].number;
        let candidates = self.candidates(index, tree);
        let tried = candidates.into_iter().take(MAX_TRIED).chain([NodeNumber::FRONT_END]);
        for parent in tried {
            if let Some(laid) = self.cabling.lay(parent, child) {
                self.link(index, tree, Link { parent, laid });
                self.event(BootEvent::Adopted { child, tree, parent });
                return;
            }
        }
        self.fail(now, index, FailureReason::NoRoute);
    }

    /// Nodes that could feed a node in a tree, the best first: those whose link has room, then the nearest.
    fn candidates(&self, index: usize, tree: usize) -> Vec<NodeNumber> {
        let child = &self.members[index];
        let mut found: Vec<(usize, bool, usize, NodeNumber)> = Vec::new();
        for (other, member) in self.members.iter().enumerate() {
            if other == index || !member.can_feed() || child.avoid[tree] == Some(member.number) {
                continue;
            }
            let feeds = member.child_count();
            let crowd = if feeds < usize::from(EDGES_PER_IMAGE) { 0 } else { feeds };
            let has_little = member.late && member.reached.stage < Stage::Verified && !child.late;
            found.push((crowd, has_little, member.place.abs_diff(child.place), member.number));
        }
        found.sort_unstable();
        let numbers = found.into_iter().map(|(.., number)| number);
        numbers.filter(|&number| !self.is_fed_by(number, child.number, tree)).take(MAX_TRIED).collect()
    }

    /// True if what `node` gets in a tree comes through `ancestor`.
    fn is_fed_by(&self, node: NodeNumber, ancestor: NodeNumber, tree: usize) -> bool {
        let mut at = node;
        for _ in 0..=self.members.len() {
            if at == ancestor {
                return true;
            }
            let link = self.index_of(at).and_then(|index| self.members[index].links[tree].as_ref());
            let Some(link) = link else { return false };
            at = link.parent;
        }
        true
    }

    /// A node takes part from now on: it is fed with what the others leave.
    pub(super) fn place_late(&mut self, now: Time, index: usize) {
        self.members[index].late = true;
        if self.members[index].place == 0 {
            self.members[index].place = self.members[index].number.index();
        }
        for tree in 0..TREES {
            self.adopt(now, index, tree);
        }
        self.assign_anew(index);
    }

    /// A node has failed: those that it fed get other parents.
    pub(super) fn fail(&mut self, now: Time, index: usize, reason: FailureReason) {
        let member = &mut self.members[index];
        if member.failed.is_some() {
            return;
        }
        if !matches!(reason, FailureReason::Refused { .. } | FailureReason::NoRoute) {
            self.last_loss = Some(now);
        }
        let failure = NodeFailure { node: member.number, reached: member.reached, reason, at: now };
        member.failed = Some(failure.clone());
        (member.queries, member.released) = (0, false);
        self.event(BootEvent::Failed(failure));
        self.leave_trees(now, index);
        self.start_when_all_have_joined(now);
        self.finish_when_settled(now);
    }

    /// A node has lost all it had: it starts anew.
    pub(super) fn has_restarted(&mut self, now: Time, index: usize) {
        self.leave_trees(now, index);
        let member = &mut self.members[index];
        member.incarnation = None;
        member.reached = Reached { stage: Stage::Offered, percent: 0 };
        (member.queries, member.released, member.late) = (0, false, true);
        (member.report_serial, member.confirmed, member.progress_at) = (0, 0, now);
    }

    /// Closes the gap that a node leaves so that pairs stay pairs: those whom it fed get its parent, and its sibling
    /// gets both halves from the one that feeds it in the other tree. Nobody then feeds more than before, and no long
    /// ring of turns comes about (see `pair_trees`).
    fn close_gap(&mut self, now: Time, index: usize) {
        for tree in 0..TREES {
            if let Some((parent, sibling, other)) = self.gap(index, tree) {
                self.members[index].links[tree].iter().for_each(|link| self.cabling.lift(&link.laid));
                self.members[index].links[tree] = None;
                self.members[parent].children[tree].retain(|&child| child != index);
                let orphans = std::mem::take(&mut self.members[index].children[tree]);
                let moves = orphans.into_iter().map(|orphan| (orphan, parent)).chain([(sibling, other)]);
                for (child, to) in moves {
                    self.move_to(now, child, tree, to);
                }
            }
        }
    }

    /// The parent and the sibling of a node that feeds others in this tree, and who feeds both in the other tree; if
    /// the gap can be closed with them.
    fn gap(&self, index: usize, tree: usize) -> Option<(usize, usize, usize)> {
        let member = &self.members[index];
        let feeder = |tree: usize| member.links[tree].as_ref().and_then(|link| self.index_of(link.parent));
        let (parent, other) = (feeder(tree)?, feeder(1 - tree)?);
        let &sibling = self.members[parent].children[tree].iter().find(|&&child| child != index)?;
        let stays_a_tree = !self.is_fed_by(self.members[other].number, self.members[sibling].number, tree);
        let able = self.members[parent].can_feed() && self.members[other].can_feed() && self.members[sibling].is_fed();
        let has_both = self.members[other].children[1 - tree].contains(&sibling) && other != sibling;
        let fits = self.members[parent].child_count() == 2 && self.members[other].child_count() == 2;
        let needed = !member.children[tree].is_empty();
        (needed && able && fits && has_both && stays_a_tree).then_some((parent, sibling, other))
    }

    /// Lets `to` feed a node in a tree, or another one if there is no route.
    fn move_to(&mut self, now: Time, index: usize, tree: usize, to: usize) {
        self.unlink(index, tree);
        let (parent, child) = (self.members[to].number, self.members[index].number);
        match self.cabling.lay(parent, child) {
            Some(laid) => {
                self.link(index, tree, Link { parent, laid });
                self.event(BootEvent::Adopted { child, tree, parent });
            }
            None => self.adopt(now, index, tree),
        }
        self.assign_anew(index);
    }

    /// Takes a node out of both trees; its children get other parents.
    fn leave_trees(&mut self, now: Time, index: usize) {
        self.close_gap(now, index);
        self.unlink_all(index);
        for tree in 0..TREES {
            for child in std::mem::take(&mut self.members[index].children[tree]) {
                self.members[child].avoid[tree] = Some(self.members[index].number);
                self.adopt(now, child, tree);
                self.assign_anew(child);
            }
        }
    }
}
