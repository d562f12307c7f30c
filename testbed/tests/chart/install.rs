//! The shortest install: two variables, as the README shows it.

use testbed::chart::Render;

use crate::cases::{list, of_kind, pod};

#[test]
fn two_variables_are_an_install_on_a_database() {
    let (url, key) = ("postgres://events:secret@db/log", "ss_0123456789abcdef0123456789abcdef");
    let variables = [("DATABASE_URL", url), ("BOOTSTRAP_ADMIN_API_KEY", key)];
    let render = variables.iter().enumerate().fold(Render::of(&[]), |render, (place, it)| {
        let (name, value) = it;
        render.set(&format!("env[{place}].name={name}")).set(&format!("env[{place}].value={value}"))
    });
    let documents = render.documents();
    let secret = of_kind(&documents, "Secret").next().unwrap();
    let workload = of_kind(&documents, "Deployment").next().unwrap();
    for (name, value) in variables {
        assert_eq!(secret["stringData"][name], value);
        let containers = list(&pod(workload).unwrap()["containers"]);
        let set = list(&containers[0]["env"]).iter().find(|variable| variable["name"] == name);
        let source = &set.unwrap()["valueFrom"]["secretKeyRef"];
        assert_eq!(*source, serde_json::json!({"name": "sequencer", "key": name}));
    }
    // The same values give the same manifest, or an upgrade would change its own secrets.
    assert_eq!(render.documents(), documents);
}
