//! One attempt to map the fabric: a session of probes that ends with a map, or with a contradiction.

use super::diagnosis::{Check, Diagnosis};
use super::doubt::Silence;
use super::error::DiscoveryError;
use super::map;
use super::model::{Contradiction, HostFact, Model, Name, Place};
use super::plan::{Aim, Circumstances, Plan, Question};
use super::ports::PortSet;
use super::proof::{Proof, Walk};
use super::radix;
use super::survey::Survey;
use super::window::{RoundTrips, Window};
use super::{DiscoveredMap, DiscoveryConfig, Statistics};
use std::collections::{BTreeSet, VecDeque};
use twowire_fabric::id::UniqueId;
use twowire_fabric::route::{Hop, Route};
use twowire_fabric::time::Time;

/// How often the front end's own cable is probed before it counts as unplugged.
const CABLE_TRIES: u32 = 32;

/// The radix that is assumed until the front end's crossbar has been probed.
const FIRST_RADIX: u8 = 16;

/// The probability with which an audit may overlook a cable because frames are lost.
const AUDIT_MISSED: f64 = 0.01;

/// How often a walk is tried at least before it counts as not coming back.
const WALK_TRIES: u8 = 4;

/// What a probe asks.
#[derive(Clone, Debug)]
enum Asked {
    /// What is at the other end of the front end's own cable?
    Cable,
    /// Something about a port.
    Port(Question),
    /// Does this walk come back?
    Walk(Walk),
    /// Something about an id that may be in two places.
    Check(Check),
}

/// How far an attempt has come.
#[derive(Clone, Debug)]
enum Stage {
    /// Looks for anything at the front end's port.
    Cable { tries: u32 },
    /// Asks these questions; then goes on to explore.
    Questions(VecDeque<(Place, Aim)>),
    /// Asks whatever the plan says.
    Explore,
    /// Proves what was found.
    Prove(Proof),
    /// Looks for an id in two places, which would explain this contradiction.
    Diagnose(Diagnosis, Contradiction),
    /// The map is complete.
    Complete,
    /// There is no crossbar: the cable leads to this host.
    BackToBack(HostFact),
}

/// Why an attempt ended without a map.
#[derive(Clone, Debug)]
pub(super) enum Setback {
    /// Start anew.
    Contradiction(Contradiction),
    /// A new attempt would end in the same way.
    Error(DiscoveryError),
}

impl From<Contradiction> for Setback {
    fn from(contradiction: Contradiction) -> Setback {
        Setback::Contradiction(contradiction)
    }
}

/// One session.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    config: DiscoveryConfig,
    own_id: UniqueId,
    rng: fastrand::Rng,
    stage: Stage,
    window: Window<Asked>,
    model: Model,
    plan: Plan,
    survey: Survey,
    radix: u8,
    audited: BTreeSet<Name>,
    /// Cables that were known at the last audit.
    cables_at_audit: usize,
    /// The most silences that were ever needed to close a port.
    rounds: u8,
    /// Probes that were lost although their port was known by the time that they were given up.
    lost: u64,
    statistics: Statistics,
    /// Which probes were answered, and by whom.
    answers: Vec<(u32, UniqueId)>,
}

impl Attempt {
    pub(super) fn new(config: DiscoveryConfig, own_id: UniqueId, rng: fastrand::Rng) -> Attempt {
        let window = Window::new(config.window, RoundTrips::new(config.timeout_floor));
        let radix = config.radix.unwrap_or(FIRST_RADIX).clamp(1, super::ports::RING);
        Attempt {
            config,
            own_id,
            rng,
            stage: Stage::Cable { tries: 0 },
            window,
            model: Model::new(own_id),
            plan: Plan::new(),
            survey: Survey::default(),
            radix,
            audited: BTreeSet::new(),
            cables_at_audit: 0,
            rounds: 0,
            lost: 0,
            statistics: Statistics::default(),
            answers: Vec::new(),
        }
    }

    /// Takes an answer to probe `nonce`, from host `id`; or the probe itself, if it `came_home`.
    pub(super) fn answer(
        &mut self,
        now: Time,
        nonce: u32,
        id: UniqueId,
        epoch: u32,
        came_home: bool,
    ) -> Result<(), Setback> {
        let Some(route) = self.window.route(nonce) else { return Ok(()) };
        if id == self.own_id && !came_home {
            return self.own_id_answered(nonce, route);
        }
        let asked = self.window.answered(now, nonce);
        self.statistics.answers += 1;
        self.statistics.late += u64::from(asked.is_none());
        if let Some(Asked::Port(question)) = &asked {
            self.count(question);
        }
        match &mut self.stage {
            Stage::Cable { .. } => self.first_answer(&route, id, epoch)?,
            Stage::Diagnose(diagnosis, _) => {
                let Some(Asked::Check(check)) = asked else { return Ok(()) };
                let found = diagnosis.answered(check, came_home, id);
                return found.map_or(Ok(()), |(id, routes)| Err(duplicate(id, routes)));
            }
            _ => {}
        }
        self.answers.push((nonce, id));
        if let Err(contradiction) = self.model.learn(&route, id, epoch) {
            self.diagnose(contradiction);
            return Ok(());
        }
        let news = self.refresh();
        if news && matches!(self.stage, Stage::Prove(_)) {
            // A late answer: there is more than was to be proven.
            self.stage = Stage::Explore;
        }
        if let Some(Asked::Port(question)) = asked {
            self.refresh_name(question.place);
        }
        Ok(())
    }

    /// Another host answered with the front end's own id; unless it was the front end itself, on whose port a responder
    /// may be at work: then the probe has come home before.
    fn own_id_answered(&self, nonce: u32, route: Route) -> Result<(), Setback> {
        if self.answers.iter().rev().any(|&(answered, id)| answered == nonce && id == self.own_id) {
            return Ok(());
        }
        Err(duplicate(self.own_id, [Route::EMPTY, route]))
    }

    /// Finds out whether an id in two places is to blame.
    fn diagnose(&mut self, contradiction: Contradiction) {
        let routes = self.answers.iter().filter_map(|&(nonce, id)| Some((self.window.route(nonce)?, id)));
        self.stage = Stage::Diagnose(Diagnosis::new(self.own_id, routes), contradiction);
    }

    /// Takes in that a question was answered.
    fn count(&mut self, question: &Question) {
        self.plan.outcome(question, true);
        self.statistics.right_guesses += u64::from(matches!(question.aim, Aim::Guess(_)));
        let place = self.model.resolve(question.place);
        self.model.crossbar_mut(place.name).doubts.busy.remove(place.port);
    }

    fn first_answer(&mut self, route: &Route, id: UniqueId, epoch: u32) -> Result<(), Setback> {
        if id == self.own_id && route.is_empty() {
            return Err(Setback::Error(DiscoveryError::LoopedBack));
        }
        if route.is_empty() {
            self.stage = Stage::BackToBack(HostFact { id, place: Place::new(0, 0), epoch });
            return Ok(());
        }
        let around = radix::questions(0, self.model.crossbar(0).used());
        self.stage = if self.config.radix.is_some() { Stage::Explore } else { Stage::Questions(around.collect()) };
        Ok(())
    }

    /// Gives up the probes whose time is over.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some((_, asked)) = self.window.expired(now) {
            self.statistics.timeouts += 1;
            match (asked, &mut self.stage) {
                (Asked::Port(question), _) => self.silent(question),
                (Asked::Walk(walk), Stage::Prove(proof)) => {
                    let tries =
                        Silence { answered: self.statistics.answers, lost: self.lost + self.model.lost() }.rounds();
                    if let Err(contradiction) = proof.silent(&self.model, walk, tries.max(WALK_TRIES)) {
                        self.diagnose(contradiction);
                    }
                }
                (Asked::Check(check), Stage::Diagnose(diagnosis, _)) => diagnosis.silent(check),
                (Asked::Cable | Asked::Walk(_) | Asked::Check(_), _) => {}
            }
        }
    }

    fn silent(&mut self, question: Question) {
        self.plan.outcome(&question, false);
        self.statistics.wrong_guesses += u64::from(matches!(question.aim, Aim::Guess(_)));
        let place = self.model.resolve(question.place);
        let crossbar = self.model.crossbar_mut(place.name);
        crossbar.doubts.busy.remove(place.port);
        let lost = match question.aim {
            Aim::Host => crossbar.hosts.contains(place.port),
            Aim::Crossbar => crossbar.cables.contains(place.port),
            Aim::Guess(_) => false,
        };
        self.lost += u64::from(lost);
        if !crossbar.used().contains(place.port) {
            let doubt = crossbar.doubts.at_mut(place.port);
            match question.aim {
                Aim::Host => doubt.host = doubt.host.saturating_add(1),
                Aim::Crossbar => doubt.crossbar = doubt.crossbar.saturating_add(1),
                Aim::Guess(hops) => doubt.guesses.push(hops),
            }
        }
        self.refresh_name(place);
    }

    /// The next probe to send: its nonce and route.
    pub(super) fn next(&mut self, now: Time) -> Result<Option<(u32, Route)>, Setback> {
        if !self.window.has_room() {
            return Ok(None);
        }
        let Some((asked, route)) = self.next_question()? else { return Ok(None) };
        self.statistics.probes += 1;
        Ok(Some((self.window.sent(now, &route, asked), route)))
    }

    fn next_question(&mut self) -> Result<Option<(Asked, Route)>, Setback> {
        loop {
            let idle = self.window.unanswered() == 0;
            match &mut self.stage {
                Stage::Cable { tries } => {
                    let error = DiscoveryError::NoCable { probes: self.statistics.probes };
                    return cable_question(tries, idle).ok_or(Setback::Error(error));
                }
                Stage::Questions(questions) => {
                    let Some((place, aim)) = questions.pop_front() else {
                        if !idle {
                            return Ok(None);
                        }
                        self.explore();
                        continue;
                    };
                    if let Some((question, route)) = self.plan.ask_directly(&mut self.model, place, aim) {
                        return Ok(Some((Asked::Port(question), route)));
                    }
                }
                Stage::Explore => {
                    let now = self.circumstances();
                    if let Some((question, route)) = self.plan.next(&mut self.model, &self.survey, &mut self.rng, now) {
                        return Ok(Some((Asked::Port(question), route)));
                    }
                    if !self.plan.is_exhausted() || !idle {
                        return Ok(None);
                    }
                    self.audit();
                }
                Stage::Prove(proof) => {
                    let Some(walk) = proof.next(&self.model) else {
                        if idle {
                            self.stage = Stage::Complete;
                        }
                        return Ok(None);
                    };
                    let route = walk.route;
                    return Ok(Some((Asked::Walk(walk), route)));
                }
                Stage::Diagnose(diagnosis, contradiction) => {
                    return match diagnosis.next() {
                        Some((check, route)) => Ok(Some((Asked::Check(check), route))),
                        None if idle => Err(Setback::Contradiction(contradiction.clone())),
                        None => Ok(None),
                    };
                }
                Stage::Complete | Stage::BackToBack(_) => return Ok(None),
            }
        }
    }

    /// Begins to explore, with the radix that is known by now.
    fn explore(&mut self) {
        let widest = self.model.names().filter_map(|name| self.model.crossbar(name).used().extent());
        let widest = widest.map(|extent| extent.1).max().unwrap_or(1);
        if self.config.radix.is_none() {
            self.radix = radix::size_for(widest);
        }
        self.stage = Stage::Explore;
        self.refresh_all();
    }

    /// Asks beyond the learnt radix; the map is complete once that finds nothing more.
    fn audit(&mut self) {
        let cables = self.model.cable_count();
        self.survey = Survey::take(&mut self.model, self.radix);
        if self.config.radix.is_some() || cables == self.cables_at_audit {
            let answered = self.answers.iter().filter_map(|&(nonce, _)| self.window.route(nonce));
            self.stage = Stage::Prove(Proof::new(&self.model, answered));
            return;
        }
        self.cables_at_audit = cables;
        let questions = radix::audit(&self.model, &self.survey, self.radix, &mut self.audited);
        let times = self.silence().rounds_for(AUDIT_MISSED).into();
        self.stage = Stage::Questions(std::iter::repeat_n(questions, times).flatten().collect());
    }

    fn silence(&self) -> Silence {
        Silence { answered: self.statistics.answers, lost: self.lost + self.model.lost() }
    }

    fn circumstances(&self) -> Circumstances {
        Circumstances { radix: self.radix, rounds: self.silence().rounds() }
    }

    /// Scores anew what the last facts have changed; tells whether there were any.
    fn refresh(&mut self) -> bool {
        let touched = self.model.take_touched();
        let news = !touched.is_empty();
        if self.silence().rounds() > self.rounds {
            self.doubt_again();
        }
        let spans = touched.iter().filter(|&&name| self.model.stands(name));
        let spans = spans.filter_map(|&name| self.model.crossbar(name).used().extent());
        let widest = spans.map(|extent| extent.1).max().unwrap_or(0);
        if widest > self.radix {
            self.radix = radix::size_for(widest);
            self.refresh_all();
        }
        let now = self.circumstances();
        for name in touched {
            self.plan.refresh(&mut self.model, name, now);
        }
        if self.survey.is_stale(&self.model) {
            self.take_survey();
        }
        news
    }

    /// More is lost than was thought when some ports were closed.
    fn doubt_again(&mut self) {
        self.rounds = self.silence().rounds();
        let names: Vec<Name> = self.model.names().collect();
        for name in names {
            self.model.crossbar_mut(name).doubts.reopen(self.rounds);
        }
        self.refresh_all();
    }

    fn refresh_name(&mut self, place: Place) {
        let name = self.model.resolve(place).name;
        let now = self.circumstances();
        self.plan.refresh(&mut self.model, name, now);
    }

    fn refresh_all(&mut self) {
        let now = self.circumstances();
        let names: Vec<Name> = self.model.names().collect();
        for name in names {
            self.plan.refresh(&mut self.model, name, now);
        }
    }

    /// Takes a survey; what was hopeless before may be guessed at again.
    fn take_survey(&mut self) {
        self.survey = Survey::take(&mut self.model, self.radix);
        let now = self.circumstances();
        let names: Vec<Name> = self.model.names().collect();
        for name in names {
            let hopeless = &mut self.model.crossbar_mut(name).doubts.hopeless;
            if !std::mem::replace(hopeless, PortSet::EMPTY).is_empty() {
                self.plan.refresh(&mut self.model, name, now);
            }
        }
    }

    /// When [`Attempt::expire`] wants to be called.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.window.deadline()
    }

    pub(super) fn is_complete(&self) -> bool {
        matches!(self.stage, Stage::Complete | Stage::BackToBack(_))
    }

    pub(super) fn model(&self) -> &Model {
        &self.model
    }

    pub(super) fn statistics(&self) -> Statistics {
        Statistics { merges: self.model.merges(), ..self.statistics }
    }

    /// The map of a complete attempt.
    pub(super) fn map(&self, statistics: Statistics) -> DiscoveredMap {
        match self.stage {
            Stage::BackToBack(other) => map::back_to_back(*self.model.host(0), other, statistics),
            _ => map::read_out(&self.model, self.config.radix, statistics),
        }
    }
}

fn duplicate(id: UniqueId, routes: [Route; 2]) -> Setback {
    Setback::Error(DiscoveryError::DuplicateId { id, routes: Box::new(routes) })
}

/// Asks in turn for a crossbar and for a host at the front end's cable; `None` after too many tries.
fn cable_question(tries: &mut u32, idle: bool) -> Option<Option<(Asked, Route)>> {
    if !idle {
        return Some(None);
    }
    *tries += 1;
    let turn_round = Route::from_hops(&[Hop::new(0)]).expect("one hop");
    let route = if *tries % 2 == 1 { turn_round } else { Route::EMPTY };
    (*tries <= 2 * CABLE_TRIES).then_some(Some((Asked::Cable, route)))
}
