//! The chart as helm renders it: the real program, without a cluster and without a look at one.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::program::tool;

/// The newest Kubernetes whose types the tests know, and what `helm template` is told by default.
pub const KUBERNETES: &str = "1.33.0";
/// Name of the release in every render.
pub const RELEASE: &str = "sequencer";

/// One rendering: a release of the chart in this repository.
#[derive(Clone, Debug)]
pub struct Render {
    chart: PathBuf,
    kubernetes: String,
    arguments: Vec<String>,
}

impl Render {
    /// With these files of values, paths below `helm/`, later ones over earlier ones.
    #[must_use]
    pub fn of(files: &[&str]) -> Self {
        let chart = folder();
        let file = |name: &&str| format!("--values={}", chart.join(name).display());
        Self { arguments: files.iter().map(file).collect(), chart, kubernetes: KUBERNETES.into() }
    }

    /// Another chart than the repository's.
    #[must_use]
    pub fn chart(mut self, folder: &Path) -> Self {
        folder.clone_into(&mut self.chart);
        self
    }

    /// As Kubernetes of this version.
    #[must_use]
    pub fn kubernetes(mut self, version: &str) -> Self {
        version.clone_into(&mut self.kubernetes);
        self
    }

    /// In a cluster that has the Prometheus operator.
    #[must_use]
    pub fn operator(self) -> Self {
        let kinds = ["ServiceMonitor", "PrometheusRule"];
        kinds.into_iter().fold(self, |render, kind| {
            render.argument(&format!("--api-versions=monitoring.coreos.com/v1/{kind}"))
        })
    }

    /// With this value: `replicaCount=3`.
    #[must_use]
    pub fn set(self, value: &str) -> Self {
        self.argument(&format!("--set={value}"))
    }

    /// With one more argument of `helm template`.
    #[must_use]
    pub fn argument(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }

    /// Its text, or what helm says against it.
    ///
    /// # Errors
    /// What helm printed when it refused.
    pub fn text(&self) -> Result<String, String> {
        let output = Command::new(tool(&["helm"]))
            .args(["template", RELEASE])
            .arg(&self.chart)
            .args(["--namespace=events", "--kube-version", &self.kubernetes])
            .args(&self.arguments)
            .env("KUBECONFIG", "/dev/null")
            .output()
            .unwrap();
        let said = |bytes| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(said(&output.stdout)) } else { Err(said(&output.stderr)) }
    }

    /// Its documents, in the order of helm; one that is empty is null.
    ///
    /// # Panics
    /// When helm refuses the values, or a document is not YAML.
    #[must_use]
    pub fn documents(&self) -> Vec<Value> {
        let text = self.text().unwrap_or_else(|said| panic!("{self:?}: {said}"));
        documents(&text)
    }
}

/// The chart's folder.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm")
}

/// The documents of a YAML stream.
///
/// # Panics
/// When one is not YAML: the message shows it.
#[must_use]
pub fn documents(text: &str) -> Vec<Value> {
    // Apart by their own line, so that an empty one is seen.
    let mut parts = vec![String::new()];
    for line in text.lines() {
        if line == "---" {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push_str(line);
            part.push('\n');
        }
    }
    parts.remove(0);
    let read = |part: &String| {
        serde_saphyr::from_str(part).unwrap_or_else(|error| panic!("{error}:\n{part}"))
    };
    parts.iter().map(read).collect()
}
