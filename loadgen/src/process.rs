//! What this process costs.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// Processor time so far, of all threads.
#[must_use]
pub fn cpu_time() -> Duration {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(now.tv_nsec).unwrap_or(0))
}

/// Cores that it may use.
#[must_use]
pub fn cores() -> u64 {
    std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64)
}

/// Largest resident memory so far; 0 where the kernel does not say.
#[must_use]
pub fn max_resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_costs_something() {
        let before = cpu_time();
        let sum: u64 = (0..2_000_000u64).fold(0, |sum, n| sum.wrapping_mul(31).wrapping_add(n));
        assert!(cpu_time() > before, "{sum}");
        assert!(cores() > 0 && max_resident_bytes() > 1 << 20);
    }
}
