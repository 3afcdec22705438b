//! How the nodes of a lab are.

use super::{CROSSBARS, Lab, LabError, processes};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};
use twowire_fabric::xbar::{Attachment, Control};

/// How much of a console's last line is shown, in characters.
const SHOWN: usize = 72;

/// A lab, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabStatus {
    /// Its folder.
    pub at: String,
    /// The fabric, for programs on the front end.
    pub fabric: String,
    /// The crossbars run.
    pub crossbars: bool,
    /// Its nodes.
    pub nodes: Vec<NodeStatus>,
}

/// A node, as it is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NodeStatus {
    /// Its name.
    pub name: String,
    /// The process that is its machine, if it has power.
    pub process: Option<i32>,
    /// Its card is plugged in.
    pub plugged: bool,
    /// The last line of its console.
    pub says: String,
}

impl Lab {
    /// How the nodes are.
    pub fn status(&self) -> Result<LabStatus, LabError> {
        let running = processes::find(self.folder().path())?;
        let process = |role: &str| running.iter().find(|process| process.role() == role).map(processes::LabProcess::id);
        let hosts = Control::connect(&self.folder().socket()).and_then(|mut control| control.hosts());
        // Crossbars that do not run have nothing plugged in.
        let hosts = hosts.unwrap_or_default();
        let plugged = |name: &str| {
            let host = hosts.iter().find(|host| host.name == name);
            host.is_some_and(|host| matches!(host.attached, Some((Attachment::Card, _))))
        };
        let node = |name: &String| NodeStatus {
            name: name.clone(),
            process: process(name),
            plugged: plugged(name),
            says: self.last_line(name),
        };
        Ok(LabStatus {
            at: self.folder().path().display().to_string(),
            fabric: self.fabric(),
            crossbars: process(CROSSBARS).is_some(),
            nodes: self.plan().nodes.iter().map(node).collect(),
        })
    }

    /// What a node has printed since it was switched on.
    pub fn console(&self, node: &str) -> Result<String, LabError> {
        let file = self.folder().console(self.node(node)?);
        // Nothing may have been printed yet, and a console has any bytes.
        Ok(String::from_utf8_lossy(&fs::read(file).unwrap_or_default()).into_owned())
    }

    /// Waits until each of these nodes has printed one of these texts since it was switched on; false if `stop` says so before.
    pub fn wait_for(
        &self,
        nodes: &[String],
        texts: &[&str],
        limit: Duration,
        stop: impl Fn() -> bool,
    ) -> Result<bool, LabError> {
        self.wait_for_each(nodes, texts, limit, stop, |_| {})
    }

    /// The same; `came` hears of each node as soon as it has printed one.
    fn wait_for_each(
        &self,
        nodes: &[String],
        texts: &[&str],
        limit: Duration,
        stop: impl Fn() -> bool,
        mut came: impl FnMut(&str),
    ) -> Result<bool, LabError> {
        let printed = |node: &String| {
            let console = self.console(node).unwrap_or_default();
            texts.iter().any(|text| console.contains(text))
        };
        let mut left: Vec<&String> = nodes.iter().collect();
        let ended = processes::until(limit, || {
            left.retain(|node| {
                let has_printed = printed(node);
                if has_printed {
                    came(node);
                }
                !has_printed
            });
            left.is_empty() || stop()
        });
        match left.first() {
            Some(node) if !ended => Err(LabError::Process {
                what: (*node).clone(),
                reason: format!(
                    "it has not printed `{}` within {limit:?}; its last line is `{}`",
                    texts.join("` or `"),
                    self.last_line(node)
                ),
            }),
            first => Ok(first.is_none()),
        }
    }

    /// Waits until all nodes answer probes, or look for their front end; false if `stop` says so before. `came` hears of each node as soon
    /// as it does.
    pub fn wait_for_phase1(
        &self,
        limit: Duration,
        stop: impl Fn() -> bool,
        came: impl FnMut(&str),
    ) -> Result<bool, LabError> {
        self.wait_for_each(&self.plan().nodes, &["waits for routes"], limit, stop, came)
    }

    /// When each machine that is on was switched on, by the nodes' names.
    pub fn switched_on(&self) -> Result<BTreeMap<String, Instant>, LabError> {
        let running = processes::find(self.folder().path())?;
        let machines = running.iter().filter(|process| process.role() != CROSSBARS);
        Ok(machines.filter_map(|process| Some((process.role().to_owned(), process.started()?))).collect())
    }

    fn last_line(&self, node: &str) -> String {
        let console = self.console(node).unwrap_or_default();
        let printed = |line: &str| line.chars().filter(|c| !c.is_control()).take(SHOWN).collect::<String>();
        console.lines().rev().map(printed).find(|line| !line.trim().is_empty()).unwrap_or_default()
    }
}
