//! A pod of the rendered chart as processes of this machine, started as the kubelet would: its
//! commands, its variables, its probes, its hook, its user; nothing of this environment.
//!
//! A [`Cluster`] stands for what a node has and this machine has not: a network of each pod's own
//! (free ports), Services (loopback), volumes (folders), the database (one of the test's).

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

use crate::program::{bare, program};

mod probe;
mod process;

pub use probe::Probe;
pub use process::Process;

/// What a container may do beyond its user: nothing.
const NO_RIGHTS: [&str; 3] = ["--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"];

/// The objects of one rendering, and what stands for the cluster.
pub struct Cluster {
    documents: Vec<Value>,
    /// Volumes and logs.
    folder: TempDir,
    /// In place of any `postgres://` of the chart.
    database_url: Option<String>,
    /// Port here, by workload and port in its pod.
    ports: BTreeMap<(String, u64), u16>,
}

/// The pod of a workload.
#[derive(Clone, Copy)]
pub struct Pod<'a> {
    cluster: &'a Cluster,
    workload: &'a Value,
}

/// A container of a pod.
#[derive(Clone, Copy)]
pub struct Container<'a> {
    pod: Pod<'a>,
    container: &'a Value,
}

impl Cluster {
    /// With these objects and this database.
    pub fn new(documents: Vec<Value>, database_url: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // The pod's user comes through, and sees no list.
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o711)).unwrap();
        let mut ports = BTreeMap::new();
        for workload in documents.iter().filter(|document| is_workload(document)) {
            for port in ports_of(workload) {
                let place = (name(workload).to_owned(), port["containerPort"].as_u64().unwrap());
                ports.insert(place, port_for_long());
            }
        }
        Self { documents, folder, database_url, ports }
    }

    /// The pod of the workload of this name, if there is one.
    pub fn pod(&self, workload: &str) -> Option<Pod<'_>> {
        let named = |document: &&Value| is_workload(document) && name(document) == workload;
        self.documents.iter().find(named).map(|workload| Pod { cluster: self, workload })
    }

    fn object(&self, kind: &str, of: &str) -> Option<&Value> {
        self.documents.iter().find(|document| document["kind"] == kind && name(document) == of)
    }

    fn secret(&self, source: &Value) -> &str {
        let wanted = &source["secretKeyRef"];
        let secret = wanted["name"].as_str().and_then(|of| self.object("Secret", of));
        let value = secret.and_then(|secret| secret["stringData"].get(wanted["key"].as_str()?));
        value.and_then(Value::as_str).unwrap_or_else(|| panic!("{source} is in no Secret"))
    }

    /// Where a Service leads: through its selector and the name of its port.
    fn service(&self, of: &str, port: u64) -> Option<u16> {
        let service = &self.object("Service", of)?["spec"];
        let wanted = list(&service["ports"]).iter().find(|offered| offered["port"] == port)?;
        let selector = service["selector"].as_object()?;
        let selects = |workload: &&Value| {
            let labels = &template(workload)["metadata"]["labels"];
            is_workload(workload) && selector.iter().all(|(key, value)| labels[key] == *value)
        };
        let workload = self.documents.iter().find(selects)?;
        let target = |port: &&Value| port["name"] == wanted["targetPort"];
        let inside = ports_of(workload).find(target)?["containerPort"].as_u64()?;
        self.ports.get(&(name(workload).to_owned(), inside)).copied()
    }
}

impl<'a> Pod<'a> {
    /// Its containers in the order of their start.
    ///
    /// # Panics
    /// When an init container is to end before the next starts: none of the chart's is.
    pub fn containers(self) -> Vec<Container<'a>> {
        let first = list(&self.spec()["initContainers"]);
        assert!(first.iter().all(|container| container["restartPolicy"] == "Always"), "{first:?}");
        let all = first.iter().chain(list(&self.spec()["containers"]));
        all.map(|container| Container { pod: self, container }).collect()
    }

    /// One of them.
    ///
    /// # Panics
    /// When there is none of this name.
    pub fn container(self, of: &str) -> Container<'a> {
        let mut all = self.containers().into_iter();
        all.find(|container| container.name() == of).unwrap_or_else(|| panic!("no container {of}"))
    }

    /// Time from the begin of its hook to `SIGKILL`.
    pub fn grace_period(self) -> Duration {
        seconds(&self.spec()["terminationGracePeriodSeconds"], 30)
    }

    /// Time that it, or the Job that makes it, may take in all.
    ///
    /// # Panics
    /// When it has no limit.
    pub fn deadline(self) -> Duration {
        let given = &self.workload["spec"]["activeDeadlineSeconds"];
        Duration::from_secs(given.as_u64().expect("activeDeadlineSeconds"))
    }

    fn spec(self) -> &'a Value {
        &template(self.workload)["spec"]
    }

    fn port(self, inside: u64) -> Option<u16> {
        self.cluster.ports.get(&(name(self.workload).to_owned(), inside)).copied()
    }

    /// The volume of a mount, made when it is first needed.
    fn volume(self, of: &str, user: Option<(u32, u32)>) -> PathBuf {
        let folder = self.cluster.folder.path().join(format!("{}-{of}", name(self.workload)));
        std::fs::create_dir_all(&folder).unwrap();
        if let Some((user, group)) = user {
            chown(&folder, Some(user), Some(group)).unwrap();
        }
        folder
    }
}

impl Container<'_> {
    /// Its name.
    pub fn name(&self) -> &str {
        self.container["name"].as_str().unwrap()
    }

    /// Starts it.
    pub fn start(&self) -> Process {
        let command = list(&self.container["command"]).iter();
        let words = command.chain(list(&self.container["args"]));
        self.run("", &words.map(|word| word.as_str().unwrap()).collect::<Vec<_>>())
    }

    /// Begins its preStop hook.
    pub fn pre_stop(&self) -> Process {
        let hook = list(&self.container["lifecycle"]["preStop"]["exec"]["command"]);
        self.exec(&hook.iter().map(|word| word.as_str().unwrap()).collect::<Vec<_>>())
    }

    /// Starts another command in it, as `kubectl exec` does.
    pub fn exec(&self, words: &[&str]) -> Process {
        self.run("-exec", words)
    }

    /// A probe of it: `livenessProbe`.
    pub fn probe(&self, of: &str) -> Probe {
        let probe = &self.container[of];
        let asked = &probe["httpGet"];
        let (port, path) = (asked["port"].as_str().unwrap(), asked["path"].as_str().unwrap());
        Probe::new(format!("{}{path}", self.url(port)), probe)
    }

    /// Where a port of it is, by the port's name.
    pub fn url(&self, port: &str) -> String {
        let named = |given: &&Value| given["name"] == port;
        let given = list(&self.container["ports"]).iter().find(named);
        let inside = given.and_then(|given| given["containerPort"].as_u64());
        let port = inside.and_then(|inside| self.pod.port(inside));
        format!("http://127.0.0.1:{}", port.expect("the container has a port of this name"))
    }

    /// A variable of it as the chart says it.
    ///
    /// # Panics
    /// When it has none of this name.
    pub fn variable(&self, of: &str) -> String {
        self.variables().remove(of).unwrap_or_else(|| panic!("{of} is not set"))
    }

    fn run(&self, what: &str, words: &[&str]) -> Process {
        let place = format!("{}-{}{what}.log", name(self.pod.workload), self.name());
        let file = Path::new(words[0]).file_name().and_then(|name| name.to_str()).unwrap();
        let program = program(file);
        let (mut command, user) = self.as_user(&program);
        let volumes: Vec<(&str, PathBuf)> = list(&self.container["volumeMounts"])
            .iter()
            .map(|mount| {
                let path = mount["mountPath"].as_str().unwrap();
                (path, self.pod.volume(mount["name"].as_str().unwrap(), user))
            })
            .collect();
        let here = |text: &str| self.here(text, &volumes);
        if let Some((_, folder)) = volumes.iter().find(|(path, _)| *path == "/tmp") {
            command.env("TMPDIR", folder);
        }
        for (variable, value) in self.variables() {
            let port = Some(&value).filter(|_| format!("_{variable}").ends_with("_PORT"));
            let port = port.and_then(|port| self.pod.port(port.parse().ok()?));
            command.env(variable, port.map_or_else(|| here(&value), |port| port.to_string()));
        }
        command.args(words[1..].iter().map(|word| here(word))).current_dir("/");
        Process::start(command, self.pod.cluster.folder.path().join(place))
    }

    /// A command of the pod's user without capabilities. Where that user cannot come to our
    /// program, as in a checkout below `/root`, it is the caller, without them too.
    fn as_user(&self, program: &Path) -> (Command, Option<(u32, u32)>) {
        let security = &self.pod.spec()["securityContext"];
        let id = |of: &str| u32::try_from(security[of].as_u64().unwrap()).unwrap();
        let user = (id("runAsUser"), id("runAsGroup"));
        if !rustix::process::geteuid().is_root() {
            return (bare(program), None);
        }
        let ids = [format!("--reuid={}", user.0), format!("--regid={}", user.1)];
        let mut switch: Vec<&str> = ids.iter().map(String::as_str).collect();
        switch.push("--clear-groups");
        for (switch, user) in [(switch, Some(user)), (Vec::new(), None)] {
            let command = || {
                let mut command = bare(Path::new("setpriv"));
                command.args(&switch).args(NO_RIGHTS).arg("--");
                command
            };
            let mut ask = command();
            ask.args(["sh", "-c", "test -x \"$1\" && \"$0\" --version"]).arg(program);
            ask.arg(self.pod.cluster.folder.path()).stderr(Stdio::null());
            if ask.status().is_ok_and(|status| status.success()) {
                let mut command = command();
                command.arg(program);
                return (command, user);
            }
            if let Some((user, _)) = user {
                say(&format!("user {user} cannot run {program:?}: it runs as the caller"));
            }
        }
        (bare(program), None)
    }

    /// From ConfigMaps and Secrets of the same rendering, then its own, which win.
    fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = BTreeMap::new();
        let cluster = self.pod.cluster;
        for source in list(&self.container["envFrom"]) {
            let of = source["configMapRef"]["name"].as_str().expect("a ConfigMap");
            let map = cluster.object("ConfigMap", of).unwrap_or_else(|| panic!("ConfigMap {of}"));
            for (name, value) in map["data"].as_object().into_iter().flatten() {
                variables.insert(name.clone(), value.as_str().unwrap().to_owned());
            }
        }
        for variable in list(&self.container["env"]) {
            let given = variable["value"].as_str();
            let value = given.unwrap_or_else(|| cluster.secret(&variable["valueFrom"]));
            variables.insert(variable["name"].as_str().unwrap().to_owned(), value.to_owned());
        }
        variables
    }

    /// A text of the pod's in words of this machine: database, address, file below a mount.
    fn here(&self, text: &str, volumes: &[(&str, PathBuf)]) -> String {
        let cluster = self.pod.cluster;
        if text.starts_with("postgres://") {
            return cluster.database_url.clone().expect("the test has a database");
        }
        if let Some((host, port)) = text.strip_prefix("http://").and_then(|at| at.split_once(':')) {
            let inside = port.parse().unwrap_or_else(|_| panic!("{text} ends with no port"));
            let own = || self.pod.port(inside).filter(|_| host == "127.0.0.1");
            let port = cluster.service(host, inside).or_else(own);
            let port = port.unwrap_or_else(|| panic!("{text} leads to no pod"));
            return format!("http://127.0.0.1:{port}");
        }
        let (scheme, path) =
            text.strip_prefix("sqlite://").map_or(("", text), |path| ("sqlite://", path));
        let mounted = volumes.iter().find_map(|(mount, folder)| {
            let inside = Path::new(path).strip_prefix(mount).ok()?;
            Some(format!("{scheme}{}", folder.join(inside).display()))
        });
        mounted.unwrap_or_else(|| text.to_owned())
    }
}

#[expect(clippy::print_stderr, reason = "what a passing test did not do as the kubelet")]
fn say(line: &str) {
    eprintln!("{line}");
}

fn is_workload(document: &Value) -> bool {
    let kinds = ["Deployment", "StatefulSet", "Job", "Pod"];
    document["kind"].as_str().is_some_and(|kind| kinds.contains(&kind))
}

fn name(document: &Value) -> &str {
    document["metadata"]["name"].as_str().unwrap_or_default()
}

fn template(workload: &Value) -> &Value {
    if workload["kind"] == "Pod" { workload } else { &workload["spec"]["template"] }
}

fn ports_of(workload: &Value) -> impl Iterator<Item = &Value> {
    let spec = &template(workload)["spec"];
    let containers = list(&spec["initContainers"]).iter().chain(list(&spec["containers"]));
    containers.flat_map(|container| list(&container["ports"]))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn seconds(value: &Value, default: u64) -> Duration {
    Duration::from_secs(value.as_u64().unwrap_or(default))
}

/// A free port below those that connections get: it is free too when a pod starts again.
fn port_for_long() -> u16 {
    let chosen = || 20_000 + u16::try_from(Uuid::new_v4().as_u128() % 12_000).unwrap();
    let free = |port: &u16| TcpListener::bind(("0.0.0.0", *port)).is_ok();
    std::iter::repeat_with(chosen).take(1_000).find(free).expect("a free port")
}
