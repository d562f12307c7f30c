//! A control group with a memory limit, which root may make.

use std::path::{Path, PathBuf};

/// Far more than any process here uses.
const MUCH: u64 = 4 << 30;

/// A group with one process in it, which is moved back when dropped.
pub struct ControlGroup {
    folder: PathBuf,
    parent: PathBuf,
    id: u32,
    version: &'static Version,
}

/// Names of the files of a version of control groups.
struct Version {
    limit: &'static str,
    used: &'static str,
    /// A line of `memory.stat`: cached files that nobody reads.
    inactive: &'static str,
}

const V1: Version = Version {
    limit: "memory.limit_in_bytes",
    used: "memory.usage_in_bytes",
    inactive: "total_inactive_file ",
};
const V2: Version =
    Version { limit: "memory.max", used: "memory.current", inactive: "inactive_file " };

impl ControlGroup {
    /// Around the process of this id, with a limit that is far away. What it used before stays with
    /// the old group.
    ///
    /// # Panics
    /// When this user may not make one.
    #[must_use]
    pub fn around(id: u32) -> Self {
        let membership = std::fs::read_to_string("/proc/self/cgroup").unwrap();
        let path = |controller: &str| {
            let line = membership.lines().find(|line| line.contains(controller));
            line.and_then(|line| line.splitn(3, ':').nth(2)).map(|path| path.trim_matches('/'))
        };
        let root = Path::new("/sys/fs/cgroup");
        // Version 1 has a tree for each controller, version 2 one for all.
        let (parent, version) = match path(":memory:") {
            Some(path) => (root.join("memory").join(path), &V1),
            None => (root.join(path("0::").unwrap()), &V2),
        };
        let folder = parent.join(format!("testbed-{id}"));
        std::fs::create_dir(&folder).unwrap_or_else(|error| {
            panic!("{}: {error}: a control group needs root", folder.display())
        });
        let group = Self { folder, parent, id, version };
        group.limit(MUCH);
        group.write("cgroup.procs", &id.to_string());
        group
    }

    /// Sets the limit, in bytes.
    pub fn limit(&self, bytes: u64) {
        self.write(self.version.limit, &bytes.to_string());
    }

    /// Sets the limit towards where this share of it is used, but above all that is charged, or the
    /// kernel would kill. It gives cached files back as the process grows: whoever wants the share
    /// to be reached, and to stay so, calls this again and again.
    pub fn press(&self, percent: u64) {
        let bytes = self.charged().max(self.used() * 100 / percent);
        // Refused when more is charged meanwhile.
        let _ = std::fs::write(self.folder.join(self.version.limit), bytes.to_string());
    }

    /// Takes the limit far away again.
    pub fn release(&self) {
        self.limit(MUCH);
    }

    /// What is used, in bytes, without the cached files that nobody reads.
    #[must_use]
    pub fn used(&self) -> u64 {
        let stat = self.read("memory.stat");
        let idle = stat.lines().find_map(|line| line.strip_prefix(self.version.inactive));
        self.charged().saturating_sub(idle.map_or(0, number))
    }

    fn charged(&self) -> u64 {
        number(&self.read(self.version.used))
    }

    fn read(&self, name: &str) -> String {
        let file = self.folder.join(name);
        std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.folder.join(name);
        std::fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

fn number(text: &str) -> u64 {
    text.trim().parse().unwrap()
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let _ = std::fs::write(self.parent.join("cgroup.procs"), self.id.to_string());
        let _ = std::fs::remove_dir(&self.folder);
    }
}
