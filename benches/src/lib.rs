//! What the benches share: figures that outlive a run, for README's table.
//!
//! A bench measures with criterion, or prints figures of its own; what README shows it records with [`Figures`].
//! `cargo xtask bench` reads the recorded figures back.

use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

/// The figures of one bench, written to `target/figures/BENCH.json` when dropped.
pub struct Figures {
    bench: &'static str,
    rows: Vec<Value>,
}

impl Figures {
    /// Starts the list of a bench.
    pub fn of(bench: &'static str) -> Figures {
        Figures { bench, rows: Vec::new() }
    }

    /// Prints a figure with its unit, and keeps it.
    pub fn record(&mut self, what: impl Into<String>, figure: impl Into<String>) {
        let (what, figure) = (what.into(), figure.into());
        println!("{}: {what}: {figure}", self.bench);
        self.rows.push(json!({ "what": what, "figure": figure }));
    }
}

impl Drop for Figures {
    fn drop(&mut self) {
        let dir = target_dir().join("figures");
        let text = serde_json::to_string_pretty(&self.rows).expect("JSON of strings");
        let written =
            fs::create_dir_all(&dir).and_then(|()| fs::write(dir.join(self.bench).with_extension("json"), text));
        if let Err(error) = written {
            eprintln!("{}: the figures could not be kept in {}: {error}", self.bench, dir.display());
        }
    }
}

fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../target"), PathBuf::from)
}

/// The median of some measurements.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
