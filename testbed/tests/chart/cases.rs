//! The values that the chart is rendered with, and what is read from a rendering.

use std::sync::LazyLock;

use serde_json::Value;
use testbed::chart::{Render, folder};

/// The oldest Kubernetes that the chart takes, the last without native sidecars, the first with
/// them, and the one whose types the tests know.
pub(crate) const KUBERNETES: [&str; 4] = ["1.27.0", "1.28.0", "1.29.0", "1.33.0"];

/// Every file of values in the chart that it is not to refuse.
pub(crate) fn files() -> Vec<String> {
    let listed = std::fs::read_dir(folder().join("ci")).unwrap();
    let names = listed.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let of_ci = names.filter(|name| name.ends_with(".yaml")).map(|name| format!("ci/{name}"));
    let mut files: Vec<String> = of_ci.collect();
    assert!(files.len() >= 6, "the files of helm/ci: {files:?}");
    files.extend(["dev-values.yaml".to_owned(), "prod-values.yaml".to_owned()]);
    files.sort();
    files
}

/// The renderings that most tests look at, made once: of the Kubernetes whose types the tests know.
pub(crate) static RENDERS: LazyLock<Vec<(String, Vec<Value>)>> =
    LazyLock::new(|| renders(testbed::chart::KUBERNETES));

/// One rendering of each file, in a cluster with the Prometheus operator.
pub(crate) fn renders(kubernetes: &str) -> Vec<(String, Vec<Value>)> {
    let render = |file: String| {
        let documents = Render::of(&[&file]).operator().kubernetes(kubernetes).documents();
        (format!("{file} on {kubernetes}"), documents)
    };
    files().into_iter().map(render).collect()
}

/// `Kind/name`.
pub(crate) fn title(document: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    format!("{}/{}", text(&document["kind"]), text(&document["metadata"]["name"]))
}

/// The specification of the pod that a document brings, if it does.
pub(crate) fn pod(document: &Value) -> Option<&Value> {
    match document["kind"].as_str()? {
        "Pod" => Some(&document["spec"]),
        "Deployment" | "StatefulSet" | "Job" => Some(&document["spec"]["template"]["spec"]),
        _ => None,
    }
}

/// The containers of a pod, those that begin before the others first.
pub(crate) fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    list(&pod["initContainers"]).iter().chain(list(&pod["containers"]))
}

/// The documents of a kind.
pub(crate) fn of_kind<'a>(documents: &'a [Value], kind: &str) -> impl Iterator<Item = &'a Value> {
    documents.iter().filter(move |document| document["kind"] == kind)
}

/// The members of a list; none when it is not there.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// The members of an object; none when it is not there.
pub(crate) fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}
