//! Memory of a control group, and of the machine.

use std::path::{Path, PathBuf};

use serde::Serialize;

/// Memory of the machine, bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct MachineMemory {
    /// All of it.
    pub total_bytes: u64,
    /// What could be given out without swapping.
    pub available_bytes: u64,
}

/// Memory of a control group, bytes.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct GroupMemory {
    /// Charged to it, without file pages that nobody used lately: the kernel takes those back
    /// before it kills anybody.
    pub used_bytes: u64,
    /// Where the kernel kills; none when nothing but the machine limits it.
    pub limit_bytes: Option<u64>,
}

impl MachineMemory {
    /// As the kernel says.
    #[must_use]
    pub fn read() -> Option<Self> {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let bytes = |name| {
            let kib = text.lines().find_map(|line| line.strip_prefix(name))?;
            kib.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib.saturating_mul(1024))
        };
        let (total, available) = (bytes("MemTotal:")?, bytes("MemAvailable:")?);
        Some(Self { total_bytes: total, available_bytes: available })
    }
}

/// One version of control groups: where they are and what their files are called.
struct Version {
    root: &'static str,
    used: &'static str,
    limit: &'static str,
    inactive: &'static str,
}

const V1: Version = Version {
    root: "/sys/fs/cgroup/memory",
    used: "memory.usage_in_bytes",
    limit: "memory.limit_in_bytes",
    inactive: "total_inactive_file ",
};
const V2: Version = Version {
    root: "/sys/fs/cgroup",
    used: "memory.current",
    limit: "memory.max",
    inactive: "inactive_file ",
};

/// The group of a process that is nearest to its limit: its own or one around it. None when it
/// cannot be seen, as from another container.
pub(crate) fn of_process(pid: i32, machine_bytes: u64) -> Option<GroupMemory> {
    let membership = |pid: &str| std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok();
    let its = membership(&pid.to_string())?;
    let is_ours = membership("self").is_some_and(|ours| ours == its);
    [V1, V2].into_iter().find_map(|version| {
        let path = path_of(&its, &version)?;
        let own = Path::new(version.root).join(path.trim_start_matches('/'));
        // In a container the group is often shown at the root, whatever its path is called.
        let shown = [Some(own), is_ours.then(|| PathBuf::from(version.root))];
        shown.into_iter().flatten().find_map(|folder| nearest(&folder, &version, machine_bytes))
    })
}

/// The path of a group in a version; none when it lies outside of what is shown to us.
fn path_of<'a>(membership: &'a str, version: &Version) -> Option<&'a str> {
    let path = membership.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let wanted = if version.root == V2.root { "" } else { "memory" };
        controllers.split(',').any(|controller| controller == wanted).then_some(path)
    })?;
    (!path.contains("..")).then_some(path)
}

fn nearest(folder: &Path, version: &Version, machine_bytes: u64) -> Option<GroupMemory> {
    let around = folder.ancestors().take_while(|folder| folder.starts_with(version.root));
    let groups = around.filter_map(|folder| read(folder, version, machine_bytes));
    // The innermost is kept while none has a limit.
    groups.reduce(|inner, outer| if share(outer) > share(inner) { outer } else { inner })
}

fn share(group: GroupMemory) -> f64 {
    let limit = group.limit_bytes.filter(|limit| *limit > 0);
    limit.map_or(0.0, |limit| group.used_bytes as f64 / limit as f64)
}

fn read(folder: &Path, version: &Version, machine_bytes: u64) -> Option<GroupMemory> {
    let text = |name: &str| std::fs::read_to_string(folder.join(name)).ok();
    let charged: u64 = text(version.used)?.trim().parse().ok()?;
    let stat = text("memory.stat").unwrap_or_default();
    let inactive = stat.lines().find_map(|line| line.strip_prefix(version.inactive));
    let inactive: u64 = inactive.and_then(|bytes| bytes.parse().ok()).unwrap_or_default();
    // Without a limit the file says "max", or a number beyond the machine's memory.
    let limit = text(version.limit).and_then(|text| text.trim().parse().ok());
    let limit_bytes = limit.filter(|limit| *limit < machine_bytes);
    Some(GroupMemory { used_bytes: charged.saturating_sub(inactive), limit_bytes })
}

/// Share of the last 60 s in which a task waited for memory; none where the kernel does not say.
pub(crate) fn pressure_ratio() -> Option<f64> {
    pressure(&std::fs::read_to_string("/proc/pressure/memory").ok()?)
}

fn pressure(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let percent = some.split_whitespace().find_map(|field| field.strip_prefix("avg60="))?;
    percent.parse::<f64>().ok().map(|percent| percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_its_path_and_only_where_it_is_shown() {
        let membership = "9:name=systemd:/\n4:memory:/a/b\n3:cpu,cpuacct:/c\n0::/d\n";
        assert_eq!(path_of(membership, &V1), Some("/a/b"));
        assert_eq!(path_of(membership, &V2), Some("/d"));
        assert_eq!(path_of("0::/../other", &V2), None, "the group of another container");
        assert_eq!(path_of("3:cpu:/c\n", &V1), None);
    }

    #[test]
    fn the_tightest_group_around_counts_and_file_pages_do_not() {
        let root = tempfile::tempdir().unwrap();
        let version = Version { root: "/", ..V2 };
        let inner = root.path().join("pod/container");
        std::fs::create_dir_all(&inner).unwrap();
        let write = |folder: &Path, used: &str, limit: &str, inactive: &str| {
            std::fs::write(folder.join("memory.current"), used).unwrap();
            std::fs::write(folder.join("memory.max"), limit).unwrap();
            let stat = format!("anon 1\ninactive_file {inactive}\n");
            std::fs::write(folder.join("memory.stat"), stat).unwrap();
        };
        write(&inner, "900\n", "max\n", "100");
        let found = nearest(&inner, &version, 10_000).unwrap();
        assert_eq!((found.used_bytes, found.limit_bytes), (800, None));
        write(inner.parent().unwrap(), "950\n", "1000\n", "50");
        let found = nearest(&inner, &version, 10_000).unwrap();
        assert_eq!((found.used_bytes, found.limit_bytes), (900, Some(1_000)));
        assert_eq!(nearest(&inner, &version, 1_000).unwrap().limit_bytes, None, "no real limit");
    }

    #[test]
    fn pressure_is_read_as_the_kernel_writes_it() {
        let text = "some avg10=9.00 avg60=12.50 avg300=1.00 total=7\n\
                    full avg10=0.00 avg60=3.00 avg300=0.00 total=1\n";
        assert_eq!(pressure(text), Some(0.125));
        assert_eq!(pressure("full avg60=3.00\n"), None);
    }

    #[test]
    fn this_machine_has_memory() {
        let machine = MachineMemory::read().unwrap();
        assert!(machine.available_bytes <= machine.total_bytes && machine.available_bytes > 0);
    }
}
