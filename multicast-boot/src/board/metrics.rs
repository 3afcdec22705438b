//! The numbers that Prometheus reads: served over HTTP, or written to a file for the textfile collector of a node exporter.

use super::{Board, stage_word};
use crate::session::Progress;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex};
use tiny_http::{Header, Response, Server};
use twowire_fabric::wire::boot::Stage;
use twowire_route_store::atomic_file;

/// Where the numbers go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MetricsTarget {
    /// `ADDRESS:PORT`: served there under `/metrics`.
    Http(SocketAddr),
    /// A file that is replaced as a whole every second.
    File(PathBuf),
}

impl FromStr for MetricsTarget {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<MetricsTarget, std::convert::Infallible> {
        Ok(text.parse().map_or_else(|_| MetricsTarget::File(text.into()), MetricsTarget::Http))
    }
}

/// Why the numbers cannot be had where they should be.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// Nothing can be served there.
    #[error("cannot serve metrics at {address}: {why}; give another port")]
    Http {
        /// Where.
        address: SocketAddr,
        /// Why not.
        why: String,
    },
    /// The file cannot be written.
    #[error("cannot write metrics to {path}: {source}", path = .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct InState {
    state: &'static str,
}

/// The numbers as Prometheus' text format has them.
pub fn text(board: &Board, progress: &Progress) -> String {
    let mut registry = Registry::with_prefix("twowire_boot");
    let nodes = Family::<InState, Gauge>::default();
    let all = Stage::ALL.iter().map(|&stage| stage_word(stage)).chain(["failed"]);
    all.for_each(|state| drop(nodes.get_or_create(&InState { state })));
    for (_, status) in board.nodes() {
        let state = if status.failure.is_some() { "failed" } else { stage_word(status.reached.stage) };
        nodes.get_or_create(&InState { state }).inc();
    }
    registry.register("nodes", "Nodes in each state", nodes);
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let numbers = [
        ("nodes_on_fallback", "Nodes that boot their fallback", count(board.on_fallback())),
        ("nodes_without_image", "Nodes for which there is no image", count(board.without_image())),
        ("frames_sent", "Frames with a part of the image that the front end has sent", progress.frames_sent),
        ("repeats_sent", "Those of them that repair a loss", progress.repeats_sent),
        ("frames_lost", "Frames that nodes missed and asked for again", progress.repaired),
        ("frames_rejected", "Frames that nodes dropped because they failed verification", progress.rejected),
        ("joins_refused", "Joins of those who did not prove that they belong to the cluster", progress.refused_joins),
    ];
    for (name, help, value) in numbers {
        let gauge: Gauge = Gauge::default();
        gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
        registry.register(name, help, gauge);
    }
    let mut text = String::new();
    encode(&mut text, &registry).expect("a string takes everything");
    text
}

/// Keeps the numbers where they are read.
pub enum Exporter {
    /// Behind a server.
    Http {
        /// The newest numbers.
        newest: Arc<Mutex<String>>,
    },
    /// In a file.
    File(PathBuf),
}

impl Exporter {
    /// Begins to serve, or finds out whether the file can be written.
    pub fn start(target: &MetricsTarget) -> Result<Exporter, MetricsError> {
        match target {
            MetricsTarget::File(path) => match atomic_file::check_writable(path) {
                Ok(()) => Ok(Exporter::File(path.clone())),
                Err(source) => Err(MetricsError::File { path: path.clone(), source }),
            },
            MetricsTarget::Http(address) => {
                let failed = |why: Box<dyn std::error::Error + Send + Sync>| MetricsError::Http {
                    address: *address,
                    why: why.to_string(),
                };
                let server = Server::http(address).map_err(failed)?;
                let newest = Arc::new(Mutex::new(String::new()));
                let shown = Arc::clone(&newest);
                std::thread::spawn(move || serve(&server, &shown));
                Ok(Exporter::Http { newest })
            }
        }
    }

    /// Shows newer numbers.
    pub fn update(&self, text: String) -> Result<(), MetricsError> {
        match self {
            Exporter::Http { newest } => *newest.lock().expect("nothing panics while it holds this lock") = text,
            Exporter::File(path) => atomic_file::replace(path, &[text.as_bytes()])
                .map_err(|source| MetricsError::File { path: path.clone(), source })?,
        }
        Ok(())
    }
}

/// Answers requests until the process ends. One that goes wrong is the reader's loss.
fn serve(server: &Server, newest: &Mutex<String>) {
    const CONTENT_TYPE: &str = "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8";
    for request in server.incoming_requests() {
        if request.url() == "/metrics" {
            let text = newest.lock().expect("nothing panics while it holds this lock").clone();
            let header: Header = CONTENT_TYPE.parse().expect("a valid header");
            let _ = request.respond(Response::from_string(text).with_header(header));
        } else {
            let _ = request.respond(Response::from_string("the numbers are under /metrics\n").with_status_code(404));
        }
    }
}
