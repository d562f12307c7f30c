//! What the kernel knows about this process. Linux; elsewhere the figures stay 0.

use catalog::SequencerMetrics;

/// Reads the figures into their gauges, for a scrape.
pub fn sample(metrics: &SequencerMetrics) {
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    metrics.open_file_descriptors.set(i64::try_from(open).unwrap_or(i64::MAX));
    metrics.file_descriptor_limit.set(clamp(open_files_limit().unwrap_or(u64::MAX)));
    let group = ControlGroup::of_this_process();
    metrics.cgroup_memory.set(clamp(group.used_bytes().unwrap_or(0)));
    let total = machine_memory_bytes().unwrap_or(0);
    metrics.cgroup_memory_limit.set(clamp(group.limit_within(total)));
    metrics.memory_pressure.set(memory_pressure_ratio().unwrap_or(0.0));
}

/// Memory that this process may use; `None` where the kernel does not say.
#[must_use]
pub fn memory_limit_bytes() -> Option<u64> {
    Some(ControlGroup::of_this_process().limit_within(machine_memory_bytes()?))
}

/// Files that this process may have open; `None` without a limit.
#[must_use]
pub fn open_files_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

fn clamp(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Folders in which this process may find its control group, the most specific first.
struct ControlGroup(Vec<String>);

impl ControlGroup {
    fn of_this_process() -> Self {
        let membership = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        let mut folders = Vec::new();
        for line in membership.lines() {
            let mut parts = line.splitn(3, ':').skip(1);
            let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
            match controllers {
                "" => folders.push(format!("/sys/fs/cgroup{path}")),
                "memory" => folders.push(format!("/sys/fs/cgroup/memory{path}")),
                _ => {}
            }
        }
        folders.extend(["/sys/fs/cgroup".to_owned(), "/sys/fs/cgroup/memory".to_owned()]);
        Self(folders)
    }

    /// Without inactive file pages: the kernel takes those back before it kills anybody, and a
    /// store that is read fills any limit with them.
    fn used_bytes(&self) -> Option<u64> {
        let in_folder = |folder: &String| {
            let charged = read(folder, ["memory.current", "memory.usage_in_bytes"])?;
            let stat = std::fs::read_to_string(format!("{folder}/memory.stat")).unwrap_or_default();
            Some(charged.saturating_sub(inactive_file_bytes(&stat)))
        };
        self.0.iter().find_map(in_folder)
    }

    /// Without a limit the files say "max" or a number beyond the machine's memory.
    fn limit_within(&self, machine: u64) -> u64 {
        self.limit_bytes().filter(|limit| *limit < machine).unwrap_or(machine)
    }

    fn limit_bytes(&self) -> Option<u64> {
        self.0.iter().find_map(|folder| read(folder, ["memory.max", "memory.limit_in_bytes"]))
    }
}

/// The first of these files in a folder that holds a number.
fn read(folder: &str, names: [&str; 2]) -> Option<u64> {
    let files = names.iter().map(|name| format!("{folder}/{name}"));
    let mut values = files.filter_map(|file| std::fs::read_to_string(file).ok());
    values.find_map(|text| text.trim().parse().ok())
}

/// Of a group and those in it, by either version's name for that.
fn inactive_file_bytes(stat: &str) -> u64 {
    let value = |name| stat.lines().find_map(|line| line.strip_prefix(name)?.parse().ok());
    value("total_inactive_file ").or_else(|| value("inactive_file ")).unwrap_or(0)
}

fn machine_memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kib.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn memory_pressure_ratio() -> Option<f64> {
    pressure_ratio(&std::fs::read_to_string("/proc/pressure/memory").ok()?)
}

fn pressure_ratio(text: &str) -> Option<f64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let percent = some.split_whitespace().find_map(|field| field.strip_prefix("avg60="))?;
    percent.parse::<f64>().ok().map(|percent| percent / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_pressure_is_read() {
        let text = "some avg10=9.00 avg60=12.50 avg300=1.00 total=7\n\
                    full avg10=0.00 avg60=3.00 avg300=0.00 total=1\n";
        assert_eq!(pressure_ratio(text), Some(0.125));
        assert_eq!(pressure_ratio(""), None);
    }

    #[test]
    fn inactive_file_pages_are_found_in_both_versions() {
        let first = "inactive_file 3\nactive_file 4\ntotal_inactive_file 7\n";
        assert_eq!(inactive_file_bytes(first), 7);
        assert_eq!(inactive_file_bytes("anon 1\ninactive_file 3\n"), 3);
        assert_eq!(inactive_file_bytes(""), 0);
    }
}
