//! What the kernel knows about this process. Linux; elsewhere the figures stay 0.

use catalog::SequencerMetrics;

/// Reads the figures into their gauges, for a scrape.
pub fn sample(metrics: &SequencerMetrics) {
    let open = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
    metrics.open_file_descriptors.set(i64::try_from(open).unwrap_or(i64::MAX));
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    metrics.file_descriptor_limit.set(clamp(limit.unwrap_or(u64::MAX)));
    let group = ControlGroup::of_this_process();
    metrics.cgroup_memory.set(clamp(group.used_bytes().unwrap_or(0)));
    let total = machine_memory_bytes().unwrap_or(0);
    // Without a limit the files say "max" or a number beyond the machine's memory.
    let limit = group.limit_bytes().filter(|limit| *limit < total).unwrap_or(total);
    metrics.cgroup_memory_limit.set(clamp(limit));
    metrics.memory_pressure.set(memory_pressure_ratio().unwrap_or(0.0));
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

    fn used_bytes(&self) -> Option<u64> {
        self.read(["memory.current", "memory.usage_in_bytes"])
    }

    fn limit_bytes(&self) -> Option<u64> {
        self.read(["memory.max", "memory.limit_in_bytes"])
    }

    fn read(&self, names: [&str; 2]) -> Option<u64> {
        let files = self.0.iter().flat_map(|folder| names.map(|name| format!("{folder}/{name}")));
        let mut values = files.filter_map(|file| std::fs::read_to_string(file).ok());
        values.find_map(|text| text.trim().parse().ok())
    }
}

fn machine_memory_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    kib.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
}

fn memory_pressure_ratio() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/pressure/memory").ok()?;
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let percent = some.split_whitespace().find_map(|field| field.strip_prefix("avg60="))?;
    percent.parse::<f64>().ok().map(|percent| percent / 100.0)
}
