//! What the chart calls by a name is there: settings of the programs, ports, paths of probes,
//! objects of the same rendering, jobs of the catalogue.

use std::collections::{BTreeSet, HashMap};

use catalog::{JOB_LOADGEN, JOB_SEQUENCER, JOB_SIDECAR};
use regex::Regex;
use serde_json::Value;
use testbed::program::{bare, program};

use crate::cases::{RENDERS, containers, list, members, of_kind, pod, title};

/// What no help names: the log's filter, and the key that an environment of loadgen has by default.
const UNNAMED: [&str; 2] = ["RUST_LOG", "SEQUENCER_API_KEY"];

/// The variables that a command reads, from its help.
fn known(command: &[&str]) -> BTreeSet<String> {
    let (name, arguments) = command.split_first().unwrap();
    let mut help = bare(&program(name));
    help.args(arguments).arg("--help").stdout(std::process::Stdio::piped());
    let text = String::from_utf8(help.output().unwrap().stdout).unwrap();
    let variable = Regex::new(r"\[env:\s+([A-Z_0-9]+)").unwrap();
    variable.captures_iter(&text).map(|found| found[1].to_owned()).collect()
}

/// The program and the subcommand that a container runs.
fn command(container: &Value) -> Vec<&str> {
    let words = list(&container["command"]).iter().chain(list(&container["args"]));
    let words = words.map(|word| word.as_str().unwrap());
    let words = words.map(|word| word.rsplit('/').next().unwrap_or(word));
    words.take(2).take_while(|word| !word.starts_with('-')).collect()
}

#[test]
fn every_variable_is_a_setting_of_its_program() {
    let mut settings = HashMap::new();
    for (case, documents) in &*RENDERS {
        let maps: HashMap<&str, &Value> = of_kind(documents, "ConfigMap")
            .map(|map| (map["metadata"]["name"].as_str().unwrap(), &map["data"]))
            .collect();
        for document in documents {
            let Some(pod) = pod(document) else { continue };
            for container in containers(pod) {
                let command = command(container);
                let ours = command
                    .first()
                    .is_some_and(|name| ["sequencer", "sidecar", "loadgen"].contains(name));
                if !ours {
                    continue;
                }
                let own = list(&container["env"]).iter().map(|v| v["name"].as_str().unwrap());
                let shared = list(&container["envFrom"])
                    .iter()
                    .flat_map(|from| members(maps[from["configMapRef"]["name"].as_str().unwrap()]))
                    .map(|(name, _)| name.as_str());
                let key = command.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
                let known = settings.entry(key).or_insert_with(|| known(&command));
                for name in own.chain(shared).filter(|name| !UNNAMED.contains(name)) {
                    let at = format!("{case}: {} {command:?}", title(document));
                    assert!(known.contains(name), "{at} does not read {name}");
                }
            }
        }
    }
    assert!(settings.len() >= 4, "{:?}", settings.keys());
}

#[test]
fn ports_and_probes_fit_the_settings() {
    for (case, documents) in &*RENDERS {
        let value = |map: &str, name: &str| -> Option<u64> {
            let named = |document: &&Value| title(document) == format!("ConfigMap/{map}");
            documents.iter().find(named)?["data"][name].as_str()?.parse().ok()
        };
        let settings = [
            ("api", value("sequencer", "PORT")),
            ("operations", value("sequencer", "OPS_PORT")),
            ("sidecar", value("sequencer-sidecar", "SIDECAR_PORT")),
        ];
        for document in documents {
            let Some(pod) = pod(document) else { continue };
            let mut names = BTreeSet::new();
            for container in containers(pod) {
                for port in list(&container["ports"]) {
                    let name = port["name"].as_str().unwrap();
                    names.insert(name);
                    let set = settings.iter().find(|(of, _)| *of == name).and_then(|(_, it)| *it);
                    let number = port["containerPort"].as_u64();
                    assert!(set.is_none() || set == number, "{case}: {} {port}", title(document));
                }
            }
            for container in containers(pod) {
                for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                    let Some(asked) = container[probe].get("httpGet") else { continue };
                    let at = format!("{case}: {} {probe} {asked}", title(document));
                    assert!(names.contains(asked["port"].as_str().unwrap()), "{at}");
                    let path = if probe == "readinessProbe" { "/ready" } else { "/health" };
                    assert_eq!(asked["path"], path, "{at}");
                }
            }
        }
    }
}

#[test]
fn what_is_referred_to_is_there() {
    for (case, documents) in &*RENDERS {
        let titles: BTreeSet<String> = documents.iter().map(title).collect();
        // Where they bring their own, the chart makes none.
        let foreign = of_kind(documents, "Secret").next().is_none();
        let there = |kind: &str, name: &Value, at: &str| {
            let name = name.as_str().unwrap();
            let found = titles.contains(&format!("{kind}/{name}"));
            assert!(found || (kind == "Secret" && foreign), "{case}: {at}: no {kind} {name}");
        };
        for document in documents {
            let Some(pod) = pod(document) else { continue };
            let at = title(document);
            for container in containers(pod) {
                for from in list(&container["envFrom"]) {
                    there("ConfigMap", &from["configMapRef"]["name"], &at);
                }
                for variable in list(&container["env"]) {
                    if let Some(secret) = variable["valueFrom"].get("secretKeyRef") {
                        there("Secret", &secret["name"], &at);
                        has_key(documents, secret, case);
                    }
                }
                let claims = list(&document["spec"]["volumeClaimTemplates"]).iter();
                let claims = claims.map(|claim| &claim["metadata"]["name"]);
                let volumes = list(&pod["volumes"]).iter().map(|volume| &volume["name"]);
                let volumes: Vec<&Value> = volumes.chain(claims).collect();
                for mount in list(&container["volumeMounts"]) {
                    assert!(volumes.contains(&&mount["name"]), "{case}: {at}: {mount}");
                }
            }
            if let Some(account) = pod.get("serviceAccountName") {
                let own = title(&serde_json::json!({
                    "kind": "ServiceAccount", "metadata": {"name": account},
                }));
                let made = of_kind(documents, "ServiceAccount").next().is_some();
                assert!(!made || titles.contains(&own), "{case}: {at}: no {own}");
            }
        }
    }
}

/// A Secret of this rendering holds the key that is asked of it.
fn has_key(documents: &[Value], wanted: &Value, case: &str) {
    let named = |secret: &&Value| secret["metadata"]["name"] == wanted["name"];
    let Some(secret) = of_kind(documents, "Secret").find(named) else { return };
    let key = wanted["key"].as_str().unwrap();
    assert!(secret["stringData"][key].is_string(), "{case}: no key {key} in {}", wanted["name"]);
}

/// Rules and boards select by these.
#[test]
fn jobs_are_those_of_the_catalogue() {
    for (case, documents) in &*RENDERS {
        for monitor in of_kind(documents, "ServiceMonitor") {
            for endpoint in list(&monitor["spec"]["endpoints"]) {
                let at = format!("{case}: {} {}", title(monitor), endpoint["port"]);
                let job = match endpoint["port"].as_str().unwrap() {
                    "operations" => JOB_SEQUENCER,
                    "sidecar" => JOB_SIDECAR,
                    "loadgen" => JOB_LOADGEN,
                    other => panic!("{at}: {other}"),
                };
                let labels: HashMap<&str, &Value> = list(&endpoint["relabelings"])
                    .iter()
                    .map(|rule| (rule["targetLabel"].as_str().unwrap(), rule))
                    .collect();
                assert_eq!(labels["job"]["replacement"], job, "{at}");
                let instance = &labels["instance"]["sourceLabels"][0];
                assert_eq!(instance, "__meta_kubernetes_pod_name", "{at}");
                let offered = of_kind(documents, "Service")
                    .filter(|service| {
                        members(&monitor["spec"]["selector"]["matchLabels"])
                            .all(|(key, value)| service["metadata"]["labels"][key] == *value)
                    })
                    .flat_map(|service| list(&service["spec"]["ports"]))
                    .any(|port| port["name"] == endpoint["port"]);
                assert!(offered, "{at}: no selected Service has this port");
            }
        }
    }
}
