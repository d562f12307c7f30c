//! What holds for every pod, whatever the values: who it runs as, what it may use, where secrets
//! are, and what the two modes must not bring.

use serde_json::Value;
use testbed::chart::Render;

use crate::cases::{KUBERNETES, RENDERS, containers, list, members, of_kind, pod, title};

/// For each pod of each rendering: where it is, its specification, and whether it is PostgreSQL's,
/// whose image has a user of its own.
fn each_pod(check: impl Fn(&str, &Value, bool)) {
    let mut seen = 0;
    for (case, documents) in &*RENDERS {
        for document in documents {
            let Some(pod) = pod(document) else { continue };
            let title = title(document);
            check(&format!("{case}: {title}"), pod, title.ends_with("-postgresql"));
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen} pods");
}

#[test]
fn pods_run_as_nobody_in_particular() {
    each_pod(|at, pod, is_postgresql| {
        let context = &pod["securityContext"];
        let user = if is_postgresql { 999 } else { 1000 };
        for (field, value) in [("runAsUser", user), ("runAsGroup", user), ("fsGroup", user)] {
            assert_eq!(context[field], value, "{at}: {field}");
        }
        assert_eq!(context["runAsNonRoot"], true, "{at}");
        assert_eq!(context["fsGroupChangePolicy"], "OnRootMismatch", "{at}");
        assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault", "{at}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{at}");
        // A Service called `sidecar` would make a variable SIDECAR_PORT.
        assert_eq!(pod["enableServiceLinks"], false, "{at}");
        for field in ["hostNetwork", "hostPID", "hostIPC"] {
            assert!(pod[field].is_null(), "{at}: {field}");
        }
        for volume in list(&pod["volumes"]) {
            assert!(volume["hostPath"].is_null(), "{at}: {volume}");
        }
    });
}

#[test]
fn containers_have_bounds_and_no_rights() {
    each_pod(|at, pod, _| {
        for container in containers(pod) {
            let at = format!("{at}: {}", container["name"]);
            let context = &container["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false, "{at}");
            assert_eq!(context["readOnlyRootFilesystem"], true, "{at}");
            assert_eq!(context["capabilities"]["drop"][0], "ALL", "{at}");
            for kind in ["requests", "limits"] {
                for resource in ["cpu", "memory"] {
                    let bound = &container["resources"][kind][resource];
                    assert!(bound.is_string(), "{at}: {kind} of {resource}");
                }
            }
            let image = container["image"].as_str().unwrap();
            let (_, version) = image.rsplit_once([':', '@']).unwrap_or_default();
            assert!(!version.is_empty() && version != "latest", "{at}: {image}");
        }
    });
}

#[test]
fn secrets_are_in_secrets_only() {
    let mut looked_for = 0;
    for (case, documents) in &*RENDERS {
        let secrets: Vec<&str> = of_kind(documents, "Secret")
            .flat_map(|secret| members(&secret["stringData"]))
            .map(|(_, text)| text.as_str().unwrap())
            .collect();
        looked_for += secrets.len();
        for document in documents.iter().filter(|document| document["kind"] != "Secret") {
            let text = document.to_string();
            let leaks = secrets.iter().any(|secret| text.contains(*secret));
            assert!(!leaks, "{case}: {} holds a secret", title(document));
        }
    }
    assert!(looked_for > 10, "{looked_for} secrets");
}

/// A change of what is read at start is a new pod.
#[test]
fn pods_are_replaced_when_their_settings_change() {
    let sums = |render: Render| {
        let documents = render.documents();
        let workload = of_kind(&documents, "StatefulSet").next().unwrap();
        let annotations = workload["spec"]["template"]["metadata"]["annotations"].clone();
        ["config", "sidecar", "secret"].map(|part| annotations[format!("checksum/{part}")].clone())
    };
    let render = Render::of(&["dev-values.yaml"]);
    let before = sums(render.clone());
    assert!(before.iter().all(Value::is_string), "{before:?}");
    for (value, place) in [
        ("requestTimeoutSecs=31", 0),
        ("sidecar.checkIntervalSecs=11", 1),
        ("secrets.sidecarToken=another-token-of-enough-characters", 2),
    ] {
        let after = sums(render.clone().set(value));
        let changed: Vec<usize> = (0..3).filter(|&part| before[part] != after[part]).collect();
        assert_eq!(changed, [place], "{value}");
    }
}

#[test]
fn a_store_of_one_process_has_one_process() {
    for (case, documents) in &*RENDERS {
        let is_sqlite = of_kind(documents, "Deployment").next().is_none();
        let scaler = of_kind(documents, "HorizontalPodAutoscaler").next();
        let budget = of_kind(documents, "PodDisruptionBudget").next();
        if is_sqlite {
            assert!(scaler.is_none() && budget.is_none(), "{case}");
            let [workload] = of_kind(documents, "StatefulSet").collect::<Vec<_>>()[..] else {
                panic!("{case}: not one StatefulSet");
            };
            assert_eq!(workload["spec"]["replicas"], 1, "{case}");
            let claims = list(&workload["spec"]["volumeClaimTemplates"]);
            let names: Vec<&Value> = claims.iter().map(|c| &c["metadata"]["name"]).collect();
            assert_eq!(names[0], "data", "{case}");
            assert!(names.len() == 1 || names[1] == "sidecar-state", "{case}: {names:?}");
            continue;
        }
        let deployment = of_kind(documents, "Deployment").next().unwrap();
        let replicas = deployment["spec"]["replicas"].as_u64();
        assert_eq!(replicas.is_none(), scaler.is_some(), "{case}: who says how many");
        let least = scaler.map_or(replicas, |it| it["spec"]["minReplicas"].as_u64()).unwrap();
        if let Some(budget) = budget {
            assert!(least >= 2, "{case}: it would hold up the drain of a node");
            assert_eq!(budget["spec"]["maxUnavailable"], 1, "{case}");
            assert_eq!(budget["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow", "{case}");
        }
    }
}

#[test]
fn two_or_more_have_a_disruption_budget() {
    for (replicas, budgets) in [(1, 0), (2, 1)] {
        let render = Render::of(&["ci/postgres-url.yaml"]);
        let documents = render.set(&format!("replicaCount={replicas}")).documents();
        assert_eq!(of_kind(&documents, "PodDisruptionBudget").count(), budgets, "{replicas}");
    }
}

#[test]
fn the_sidecar_is_native_where_the_cluster_knows_it() {
    for kubernetes in KUBERNETES {
        let is_native = !["1.27.0", "1.28.0"].contains(&kubernetes);
        let documents = Render::of(&["dev-values.yaml"]).kubernetes(kubernetes).documents();
        let workload = of_kind(&documents, "StatefulSet").next().unwrap();
        let pod = pod(workload).unwrap();
        assert_eq!(pod["shareProcessNamespace"], true);
        let place = if is_native { "initContainers" } else { "containers" };
        let is_sidecar = |container: &&Value| container["name"] == "sidecar";
        let sidecar = list(&pod[place]).iter().find(is_sidecar);
        let sidecar = sidecar.unwrap_or_else(|| panic!("{kubernetes}: no sidecar in {place}"));
        assert_eq!(sidecar["restartPolicy"] == "Always", is_native, "{kubernetes}");
        assert!(sidecar["livenessProbe"].is_object());
        // The pod would wait for it, and be taken from the Service with it.
        assert!(sidecar["readinessProbe"].is_null() && sidecar["startupProbe"].is_null());
    }
}
