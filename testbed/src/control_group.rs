//! A control group with a memory limit, which root may make.

use std::path::{Path, PathBuf};

/// Far more than any process here uses.
const MUCH: u64 = 4 << 30;

/// A group with one process in it, which is moved back when dropped.
pub struct ControlGroup {
    folder: PathBuf,
    parent: PathBuf,
    id: u32,
    limit: &'static str,
    used: &'static str,
}

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
        let (parent, limit, used) = match path(":memory:") {
            Some(path) => {
                (root.join("memory").join(path), "memory.limit_in_bytes", "memory.usage_in_bytes")
            }
            None => (root.join(path("0::").unwrap()), "memory.max", "memory.current"),
        };
        let folder = parent.join(format!("testbed-{id}"));
        std::fs::create_dir(&folder).unwrap_or_else(|error| {
            panic!("{}: {error}: a control group needs root", folder.display())
        });
        let group = Self { folder, parent, id, limit, used };
        group.limit(MUCH);
        // Whoever meets the limit waits for a higher one and is not killed. Version 1 only.
        let _ = std::fs::write(group.folder.join("memory.oom_control"), "1");
        group.write("cgroup.procs", &id.to_string());
        group
    }

    /// Sets the limit, in bytes.
    pub fn limit(&self, bytes: u64) {
        self.write(self.limit, &bytes.to_string());
    }

    /// Sets the limit so that this share of it is used now. The kernel then gives pages back, so
    /// whoever wants it to stay so sets it again.
    pub fn press(&self, percent: u64) {
        self.limit(self.used() * 100 / percent);
    }

    /// Takes the limit far away again.
    pub fn release(&self) {
        self.limit(MUCH);
    }

    /// What is used, in bytes.
    #[must_use]
    pub fn used(&self) -> u64 {
        let text = std::fs::read_to_string(self.folder.join(self.used)).unwrap();
        text.trim().parse().unwrap()
    }

    fn write(&self, name: &str, text: &str) {
        let file = self.folder.join(name);
        std::fs::write(&file, text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    }
}

impl Drop for ControlGroup {
    fn drop(&mut self) {
        let _ = std::fs::write(self.parent.join("cgroup.procs"), self.id.to_string());
        let _ = std::fs::remove_dir(&self.folder);
    }
}
