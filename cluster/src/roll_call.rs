//! The roll of a lab's machines at the end of a bring-up: where each is, how it is, and when it came how far.
//!
//! Nobody is asked anew: the times are those at which its front end heard from a machine, the first one that at which its console said that
//! phase 1 answers probes.

use crate::lab::{Lab, LabError};
use crate::up::report::{NodeFailure, plain_table};
use crate::up::times::BootTimes;
use crate::up::{Cluster, UpReport};
use comfy_table::CellAlignment;
use serde::Serialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use twowire_fabric::id::NodeNumber;
use twowire_fabric::topology::{PortId, Topology, read_file};
use twowire_fabric::wire::boot::Stage;
use twowire_multicast_boot::board::groups::without_numbers;
use twowire_multicast_boot::node_ranges::NodeRanges;

/// With more machines than this those of which the same can be said share a line.
const LINES: usize = 16;

/// The roll.
#[derive(Clone, Debug, Serialize)]
pub struct RollCall {
    /// Every machine that there should be, in the order of the cabling.
    pub machines: Vec<Machine>,
    /// Machines that run the image.
    pub ready: usize,
    /// Machines that have failed.
    pub failed: usize,
    /// When the last one came how far.
    pub last: Seconds,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Machine {
    /// The node's name.
    pub node: String,
    /// The port of a crossbar that it is plugged into, as `lab cut` takes it.
    pub place: String,
    /// Why it is not ready; `None` if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<NodeFailure>,
    /// Name and version of the image that it runs, if it runs one.
    pub image: Option<String>,
    /// When it came how far.
    pub seconds: Seconds,
}

/// Seconds from power-on; `None` for what was not reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Seconds {
    /// Until phase 1 answered probes.
    pub phase1: Option<f64>,
    /// Until it had said that all of the image was there and verified.
    pub image: Option<f64>,
    /// Until it had said that it was about to hand over to the image's kernel.
    pub kexec: Option<f64>,
    /// Until it had said that the image runs.
    pub ready: Option<f64>,
}

impl Seconds {
    fn all(&self) -> [Option<f64>; 4] {
        [self.phase1, self.image, self.kexec, self.ready]
    }

    /// The later of each two.
    fn latest(self, other: Seconds) -> Seconds {
        let later = |a: Option<f64>, b: Option<f64>| a.into_iter().chain(b).reduce(f64::max);
        Seconds {
            phase1: later(self.phase1, other.phase1),
            image: later(self.image, other.image),
            kexec: later(self.kexec, other.kexec),
            ready: later(self.ready, other.ready),
        }
    }
}

/// When the machines of a lab were first heard from, by the nodes' names.
pub type FirstHeard = BTreeMap<String, Instant>;

/// Calls the roll of a lab that was brought up.
pub fn call(cluster: &Cluster, lab: &Lab, heard: &FirstHeard) -> Result<RollCall, LabError> {
    let (on, file) = (lab.switched_on()?, lab.folder().topology());
    let cabling = read_file(&file).map_err(|error| LabError::Flash(error.to_string()))?;
    let failures = cluster.report.nodes_failed.iter().map(|failure| (failure.node.as_str(), failure)).collect();
    let caller = Caller { report: &cluster.report, times: &cluster.times, cabling: &cabling, failures };
    let machines = lab.plan().nodes.iter();
    Ok(RollCall::new(machines.map(|node| caller.machine(node, on.get(node).copied(), heard)).collect()))
}

struct Caller<'a> {
    report: &'a UpReport,
    times: &'a BootTimes,
    cabling: &'a Topology,
    failures: BTreeMap<&'a str, &'a NodeFailure>,
}

impl Caller<'_> {
    fn machine(&self, node: &str, on: Option<Instant>, heard: &FirstHeard) -> Machine {
        let failed = self.failures.get(node).copied().cloned().or_else(|| on.is_none().then(|| ended(node)));
        let number: Option<NodeNumber> = node.parse().ok();
        let since_on = |at: Option<Instant>| Some(seconds(at?.checked_duration_since(on?)?));
        let stage = |stage: Stage| since_on(self.times.at(number?, stage));
        Machine {
            node: node.to_owned(),
            place: place(self.cabling, node).unwrap_or_default(),
            image: failed.is_none().then(|| self.report.image.clone()),
            failed,
            seconds: Seconds {
                phase1: since_on(heard.get(node).copied()),
                image: stage(Stage::Verified),
                kexec: stage(Stage::HandingOver),
                ready: stage(Stage::Ready),
            },
        }
    }
}

/// To the millisecond.
fn seconds(time: Duration) -> f64 {
    time.as_millis() as f64 / 1e3
}

fn ended(node: &str) -> NodeFailure {
    let error = format!(
        "the emulator of its machine has ended; `twowire lab power on {node}` starts it, {node}.log may say why"
    );
    NodeFailure { node: node.to_owned(), stage: "ready".to_owned(), error }
}

fn place(cabling: &Topology, node: &str) -> Option<String> {
    let host = cabling.host_ids().find(|&host| cabling.host(host).name == node)?;
    Some(cabling.port_name(cabling.peer(PortId::new(host, 0))?).to_string())
}

impl RollCall {
    fn new(machines: Vec<Machine>) -> RollCall {
        let failed = machines.iter().filter(|machine| machine.failed.is_some()).count();
        let last = machines.iter().map(|machine| machine.seconds).fold(Seconds::default(), Seconds::latest);
        RollCall { ready: machines.len() - failed, failed, last, machines }
    }

    /// A table for people: a line for each machine, or for those of which the same can be said if there are many.
    pub fn to_text(&self) -> String {
        let mut table = plain_table();
        table.set_header(vec!["machine", "place", "state", "runs", "phase 1", "image", "kexec", "ready"]);
        let rows = if self.machines.len() > LINES { self.grouped() } else { self.machines.iter().map(row).collect() };
        table.add_rows(rows);
        let count = format!("{} of {} ready", self.ready, self.machines.len());
        let last = ["all".to_owned(), String::new(), count, "the last:".to_owned()];
        table.add_row(last.into_iter().chain(self.last.all().map(|time| shown(time, time))));
        for column in 4..8 {
            table.column_mut(column).expect("eight columns").set_cell_alignment(CellAlignment::Right);
        }
        format!("machines, seconds from power-on\n{table}")
    }

    /// A line for each cause, those that have failed first.
    fn grouped(&self) -> Vec<Vec<String>> {
        let mut groups: BTreeMap<(bool, String, Option<&str>), Vec<&Machine>> = BTreeMap::new();
        for machine in &self.machines {
            let cause = (machine.failed.is_none(), cause(machine), machine.image.as_deref());
            groups.entry(cause).or_default().push(machine);
        }
        let line = |((_, state, image), machines): ((bool, String, Option<&str>), Vec<&Machine>)| {
            let names: NodeRanges = machines.iter().filter_map(|m| m.node.parse::<NodeNumber>().ok()).collect();
            let words =
                [names.to_string(), format!("{} machines", machines.len()), state, image.unwrap_or("-").to_owned()];
            let span = |at: usize| {
                let times = || machines.iter().filter_map(|machine| machine.seconds.all()[at]);
                shown(times().reduce(f64::min), times().reduce(f64::max))
            };
            words.into_iter().chain((0..4).map(span)).collect()
        };
        groups.into_iter().map(line).collect()
    }
}

fn row(machine: &Machine) -> Vec<String> {
    let image = machine.image.clone().unwrap_or("-".to_owned());
    let words = [machine.node.clone(), machine.place.clone(), state(machine), image];
    words.into_iter().chain(machine.seconds.all().map(|time| shown(time, time))).collect()
}

fn state(machine: &Machine) -> String {
    machine
        .failed
        .as_ref()
        .map_or("ready".to_owned(), |failed| format!("failed at `{}`: {}", failed.stage, failed.error))
}

/// The state without what differs from machine to machine.
fn cause(machine: &Machine) -> String {
    let failed = |failed: &NodeFailure| {
        let stage = failed.stage.split(" (").next().unwrap_or_default();
        format!("failed at `{stage}`: {}", without_numbers(&failed.error))
    };
    machine.failed.as_ref().map_or("ready".to_owned(), failed)
}

/// The earliest and the latest time, which may be the same.
fn shown(first: Option<f64>, last: Option<f64>) -> String {
    match (first, last) {
        (Some(first), Some(last)) if first == last => format!("{last:.1}"),
        (Some(first), Some(last)) => format!("{first:.1}–{last:.1}"),
        _ => "-".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use twowire_fabric::time::Time;

    fn machine(number: usize, failed: Option<&str>) -> Machine {
        let node = format!("n{number}");
        let failed = failed.map(|error| NodeFailure {
            node: node.clone(),
            stage: "receiving (42 %)".to_owned(),
            error: error.to_owned(),
        });
        let began = number as f64 / 4.0;
        Machine {
            place: format!("x1.0:{number}"),
            image: failed.is_none().then(|| "lab 1".to_owned()),
            seconds: Seconds {
                phase1: Some(began + 2.5),
                image: failed.is_none().then_some(began + 5.0),
                kexec: failed.is_none().then_some(began + 6.25),
                ready: failed.is_none().then_some(began + 9.0),
            },
            node,
            failed,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "any instant will do")]
    fn now() -> Instant {
        Instant::now()
    }

    /// The words of the line that begins with this one.
    fn line(text: &str, first: &str) -> Vec<String> {
        let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        text.lines().map(words).find(|line| line.first().is_some_and(|word| word == first)).unwrap_or_default()
    }

    #[test]
    fn few_machines_have_a_line_each_and_the_totals_are_last() {
        let roll = RollCall::new(vec![machine(0, None), machine(1, Some("it fell silent")), machine(2, None)]);
        assert_eq!((roll.ready, roll.failed, roll.last.ready, roll.last.phase1), (2, 1, Some(9.5), Some(3.0)));
        let text = roll.to_text();
        assert_eq!(line(&text, "n0"), ["n0", "x1.0:0", "ready", "lab", "1", "2.5", "5.0", "6.2", "9.0"], "{text}");
        assert!(text.contains("failed at `receiving (42 %)`: it fell silent"), "{text}");
        assert_eq!(line(&text, "n1")[..2], ["n1", "x1.0:1"]);
        assert_eq!(line(&text, "n1").iter().filter(|word| *word == "-").count(), 4, "{text}");
        let last = "all 2 of 3 ready the last: 3.0 5.5 6.8 9.5";
        assert_eq!(line(&text, "all").join(" "), last, "{text}");
    }

    #[test]
    fn times_count_from_power_on_and_an_emulator_that_has_ended_is_a_failure() {
        let cabling = "topo 1\ncrossbar x0 8\nhost n0 0x1\nhost n1 0x2\nhost n2 0x3\ncable n0 x0:4\ncable n1 x0:5\ncable n2 x0:6\n";
        let failure = machine(2, Some("it fell silent")).failed.unwrap();
        let report = UpReport { image: "lab 7".to_owned(), nodes_failed: vec![failure.clone()], ..UpReport::default() };
        let times = BootTimes::new(BTreeMap::new(), Time::ZERO);
        let failures = BTreeMap::from([("n2", &report.nodes_failed[0])]);
        let caller = Caller { report: &report, times: &times, cabling: &cabling.parse().unwrap(), failures };
        let on = now();
        let heard = FirstHeard::from([("n0".to_owned(), on + Duration::from_millis(2500))]);
        let [n0, n1, n2] =
            [("n0", Some(on)), ("n1", None), ("n2", Some(on))].map(|(node, on)| caller.machine(node, on, &heard));
        assert_eq!((n0.place.as_str(), n0.failed, n0.image.as_deref()), ("x0:4", None, Some("lab 7")));
        assert_eq!(n0.seconds, Seconds { phase1: Some(2.5), ..Seconds::default() });
        assert!(n1.failed.is_some_and(|failed| failed.error.contains("`twowire lab power on n1`")));
        assert_eq!((n1.image, n2.failed, n2.seconds), (None, Some(failure), Seconds::default()));
    }

    #[test]
    fn many_machines_are_grouped_by_cause_whatever_their_numbers() {
        let failed = |number: usize| [3, 9].contains(&number).then(|| format!("it made no progress for {number}s"));
        let machines = (0..20).map(|number| machine(number, failed(number).as_deref())).collect();
        let text = RollCall::new(machines).to_text();
        assert_eq!(text.lines().count(), 5, "{text}");
        let expected = "n3 n9 2 machines failed at `receiving`: it made no progress for … - 3.2–4.8 - - -";
        assert_eq!(line(&text, "n3").join(" "), expected, "{text}");
        let ready = text.lines().nth(3).unwrap();
        assert!(ready.contains("18 machines") && ready.contains("2.5–7.2") && ready.contains("9.0–13.8"), "{text}");
    }

    #[test]
    fn what_programs_read_says_why_a_machine_failed_and_only_then() {
        let roll = RollCall::new(vec![machine(0, None), machine(1, Some("it fell silent"))]);
        let json = serde_json::to_value(&roll).unwrap();
        assert_eq!(json["machines"][0]["seconds"]["kexec"], 6.25);
        assert_eq!((json["machines"][0].get("failed"), &json["machines"][0]["image"]), (None, &"lab 1".into()));
        assert_eq!(json["machines"][1]["failed"]["error"], "it fell silent");
        assert_eq!((&json["ready"], &json["failed"]), (&1.into(), &1.into()));
    }
}
