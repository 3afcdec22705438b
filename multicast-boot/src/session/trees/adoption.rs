//! Who feeds whom after the layout: nodes that die, come back, or come late.

use super::super::progress::{BootEvent, FailureReason};
use super::super::root::control::Control;
use super::cabling::EDGES_PER_IMAGE;
use super::root::{Link, TreeRoot};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::time::Time;
use twowire_fabric::wire::boot::{Stage, TREES};

/// How many parents are tried for which there is no route.
const MAX_TRIED: usize = 8;

impl TreeRoot {
    /// Notes who feeds a node in a tree.
    pub(super) fn link(&mut self, control: &Control, index: usize, tree: usize, link: Link) {
        if let Some(parent) = control.index_of(link.parent) {
            self.places[parent].children[tree].push(index);
        }
        self.places[index].links[tree] = Some(link);
        self.places[index].orphaned[tree] = false;
    }

    /// Nobody feeds the node in this tree any more.
    fn unlink(&mut self, control: &mut Control, index: usize, tree: usize) {
        let Some(link) = self.places[index].links[tree].take() else { return };
        self.cabling.lift(&link.laid);
        if let Some(parent) = control.index_of(link.parent) {
            self.places[parent].children[tree].retain(|&child| child != index);
            self.release_if_idle(control, parent);
        }
    }

    pub(super) fn unlink_all(&mut self, control: &mut Control, index: usize) {
        (0..TREES).for_each(|tree| self.unlink(control, index, tree));
    }

    /// A node on which nobody depends may hand over when it has the image.
    pub(super) fn release_if_idle(&self, control: &mut Control, index: usize) {
        if self.places[index].child_count() == 0 {
            control.release(index);
        }
    }

    /// The node says in which trees it cannot hear its parent; in the others it does, also where it did not before.
    pub(super) fn note_orphaned(&mut self, now: Time, control: &mut Control, index: usize, trees: [bool; TREES]) {
        self.places[index].orphaned = [false; TREES];
        (0..TREES).filter(|&tree| trees[tree]).for_each(|tree| self.is_orphaned(now, control, index, tree));
    }

    /// The node cannot hear its parent in a tree. The parent is asked first whether it lives: if not, all whom it fed
    /// are provided for together.
    fn is_orphaned(&mut self, now: Time, control: &mut Control, index: usize, tree: usize) {
        if !control.members[index].is_fed() {
            return;
        }
        let Some(silent) = self.places[index].links[tree].as_ref().map(|link| link.parent) else { return };
        self.places[index].orphaned[tree] = true;
        match control.index_of(silent) {
            Some(parent) if control.members[parent].failed.is_none() => control.suspect(now, parent),
            _ => self.leave_parent(now, control, index, tree),
        }
    }

    /// A node that was asked whether it lives does: those that cannot hear it get other parents.
    pub(super) fn is_alive(&mut self, now: Time, control: &mut Control, index: usize) {
        for tree in 0..TREES {
            for child in self.places[index].children[tree].clone() {
                if self.places[child].orphaned[tree] {
                    self.leave_parent(now, control, child, tree);
                }
            }
        }
    }

    /// A node gets another parent than the one that it has.
    fn leave_parent(&mut self, now: Time, control: &mut Control, index: usize, tree: usize) {
        let place = &mut self.places[index];
        place.avoid[tree] = place.links[tree].as_ref().map(|link| link.parent);
        self.adopt(now, control, index, tree);
        control.assign_anew(index);
    }

    /// Finds a parent for a node in a tree; without any, the node has failed.
    pub(super) fn adopt(&mut self, now: Time, control: &mut Control, index: usize, tree: usize) {
        self.unlink(control, index, tree);
        let child = control.members[index].number;
        let candidates = self.candidates(control, index, tree);
        let tried = candidates.into_iter().take(MAX_TRIED).chain([NodeNumber::FRONT_END]);
        for parent in tried {
            if let Some(laid) = self.cabling.lay(parent, child) {
                self.link(control, index, tree, Link { parent, laid });
                control.event(BootEvent::Adopted { child, tree, parent });
                return;
            }
        }
        control.fail(now, index, FailureReason::NoRoute);
    }

    /// Nodes that could feed a node in a tree, the best first: those whose link has room, then the nearest.
    fn candidates(&self, control: &Control, index: usize, tree: usize) -> Vec<NodeNumber> {
        let (child, place) = (&control.members[index], &self.places[index]);
        let mut found: Vec<(usize, bool, usize, NodeNumber)> = Vec::new();
        for (other, member) in control.members.iter().enumerate() {
            if other == index || !member.can_feed() || place.avoid[tree] == Some(member.number) {
                continue;
            }
            let feeds = self.places[other].child_count();
            let crowd = if feeds < usize::from(EDGES_PER_IMAGE) { 0 } else { feeds };
            let has_little = member.late && member.reached.stage < Stage::Verified && !child.late;
            found.push((crowd, has_little, self.places[other].row.abs_diff(place.row), member.number));
        }
        found.sort_unstable();
        let numbers = found.into_iter().map(|(.., number)| number);
        numbers.filter(|&number| !self.is_fed_by(control, number, child.number, tree)).take(MAX_TRIED).collect()
    }

    /// True if what `node` gets in a tree comes through `ancestor`.
    fn is_fed_by(&self, control: &Control, node: NodeNumber, ancestor: NodeNumber, tree: usize) -> bool {
        let mut at = node;
        for _ in 0..=self.places.len() {
            if at == ancestor {
                return true;
            }
            let link = control.index_of(at).and_then(|index| self.places[index].links[tree].as_ref());
            let Some(link) = link else { return false };
            at = link.parent;
        }
        true
    }

    /// A node takes part from now on: it is fed with what the others leave.
    pub(super) fn place_late(&mut self, now: Time, control: &mut Control, index: usize) {
        if self.places[index].row == 0 {
            self.places[index].row = control.members[index].number.index();
        }
        for tree in 0..TREES {
            self.adopt(now, control, index, tree);
        }
        control.assign_anew(index);
    }

    /// Takes a node out of both trees; its children get other parents.
    pub(super) fn leave_trees(&mut self, now: Time, control: &mut Control, index: usize) {
        self.close_gap(now, control, index);
        self.unlink_all(control, index);
        for tree in 0..TREES {
            for child in std::mem::take(&mut self.places[index].children[tree]) {
                self.places[child].avoid[tree] = Some(control.members[index].number);
                self.adopt(now, control, child, tree);
                control.assign_anew(child);
            }
        }
    }

    /// Closes the gap that a node leaves so that pairs stay pairs: those whom it fed get its parent, and its sibling
    /// gets both halves from the one that feeds it in the other tree. Nobody then feeds more than before, and no long
    /// ring of turns comes about (see `pair_trees`).
    fn close_gap(&mut self, now: Time, control: &mut Control, index: usize) {
        for tree in 0..TREES {
            if let Some((parent, sibling, other)) = self.gap(control, index, tree) {
                self.places[index].links[tree].iter().for_each(|link| self.cabling.lift(&link.laid));
                self.places[index].links[tree] = None;
                self.places[parent].children[tree].retain(|&child| child != index);
                let orphans = std::mem::take(&mut self.places[index].children[tree]);
                let moves = orphans.into_iter().map(|orphan| (orphan, parent)).chain([(sibling, other)]);
                for (child, to) in moves {
                    self.move_to(now, control, child, tree, to);
                }
            }
        }
    }

    /// The parent and the sibling of a node that feeds others in this tree, and who feeds both in the other tree; if
    /// the gap can be closed with them.
    fn gap(&self, control: &Control, index: usize, tree: usize) -> Option<(usize, usize, usize)> {
        let (members, places) = (&control.members, &self.places);
        let place = &places[index];
        let feeder = |tree: usize| place.links[tree].as_ref().and_then(|link| control.index_of(link.parent));
        let (parent, other) = (feeder(tree)?, feeder(1 - tree)?);
        let &sibling = places[parent].children[tree].iter().find(|&&child| child != index)?;
        let stays_a_tree = !self.is_fed_by(control, members[other].number, members[sibling].number, tree);
        let able = members[parent].can_feed() && members[other].can_feed() && members[sibling].is_fed();
        let has_both = places[other].children[1 - tree].contains(&sibling) && other != sibling;
        let fits = places[parent].child_count() == 2 && places[other].child_count() == 2;
        let needed = !place.children[tree].is_empty();
        (needed && able && fits && has_both && stays_a_tree).then_some((parent, sibling, other))
    }

    /// Lets `to` feed a node in a tree, or another one if there is no route.
    fn move_to(&mut self, now: Time, control: &mut Control, index: usize, tree: usize, to: usize) {
        self.unlink(control, index, tree);
        let (parent, child) = (control.members[to].number, control.members[index].number);
        match self.cabling.lay(parent, child) {
            Some(laid) => {
                self.link(control, index, tree, Link { parent, laid });
                control.event(BootEvent::Adopted { child, tree, parent });
            }
            None => self.adopt(now, control, index, tree),
        }
        control.assign_anew(index);
    }
}
