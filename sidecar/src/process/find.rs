//! Which process is the sequencer's: by its file, or by who listens on its port.
//!
//! A wrong process would be worse than none, so only one called `sequencer` is believed, and only
//! where it listens on the port that is watched. Looking through the machine happens only while the
//! known process is gone, and only at processes of that name.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::path::{Path, PathBuf};

use procfs::net::{TcpNetEntry, TcpState};
use procfs::process::{FDTarget, Process};

use super::reading::Identity;
use crate::config::{Config, parse_url};

/// Name of the sequencer's process.
const NAME: &str = "sequencer";

/// Where to look.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pid_file: Option<PathBuf>,
    host: String,
    port: u16,
}

/// A process, and in words how it was found.
pub(super) struct Found {
    pub(super) identity: Identity,
    pub(super) how: String,
}

impl Target {
    pub(super) fn new(config: &Config) -> Self {
        // A URL that cannot be read was refused at start.
        let url = parse_url(&config.sequencer_url).ok();
        let host = url.as_ref().and_then(|url| url.host_str()).unwrap_or_default();
        let host = host.trim_matches(['[', ']']).to_owned();
        let port = url.as_ref().and_then(|url| url.port_or_known_default()).unwrap_or_default();
        Self { pid_file: config.sequencer_pid_file.clone(), host, port }
    }

    /// The process now, or why it cannot be seen. Blocks: a name is resolved.
    pub(super) fn find(&self) -> Result<Found, String> {
        match &self.pid_file {
            Some(file) => by_file(file),
            None => self.by_port(),
        }
    }

    fn by_port(&self) -> Result<Found, String> {
        let Self { host, port, .. } = self;
        let addresses = (host.as_str(), *port).to_socket_addrs();
        let addresses = addresses.map_err(|error| format!("{host} has no address: {error}"))?;
        let own: Vec<IpAddr> = addresses.map(|at| at.ip()).filter(|at| is_own(*at)).collect();
        let here = listeners(sockets_here(), *port, &own);
        if own.is_empty() {
            return self.elsewhere(&here);
        }
        if here.is_empty() {
            return Err(format!("nothing listens on {host}:{port}"));
        }
        let named = named();
        let owner = named.iter().find(|process| holds(process, &here) == Some(true));
        let hidden = || only(named.iter().filter(|process| holds(process, &here).is_none()));
        let found = owner.map(|process| (process, "it listens on the sequencer's port"));
        let found = found.or_else(|| Some((hidden()?, "the only process of its name")));
        let (process, how) = found.ok_or_else(|| {
            format!(
                "what listens on {host}:{port} is no process called \"{NAME}\" that can be seen; \
                 set SEQUENCER_PID_FILE"
            )
        })?;
        identified(process, how)
    }

    /// In another container of which we see the processes: there, one listens on the port in a
    /// network that is not ours.
    fn elsewhere(&self, ours: &[u64]) -> Result<Found, String> {
        let Self { host, port, .. } = self;
        let listens_there = |process: &&Process| {
            let sockets = [process.tcp(), process.tcp6()].into_iter().flatten().flatten();
            let there = listeners(sockets, *port, &[]);
            !there.is_empty() && !there.iter().any(|inode| ours.contains(inode))
        };
        let named = named();
        let process = only(named.iter().filter(listens_there)).ok_or_else(|| {
            format!("{host} is another machine or container, whose processes cannot be seen")
        })?;
        identified(process, "the only process of its name that listens on the sequencer's port")
    }
}

fn identified(process: &Process, how: &str) -> Result<Found, String> {
    let identity = Identity::of(process.pid()).map_err(|_| "it has just ended".to_owned())?;
    Ok(Found { identity, how: how.to_owned() })
}

fn by_file(file: &Path) -> Result<Found, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("{shown} (SEQUENCER_PID_FILE) cannot be read: {error}"))?;
    let pid = text.trim().parse().ok().filter(|pid: &i32| *pid > 0);
    let pid = pid.ok_or_else(|| format!("{shown} (SEQUENCER_PID_FILE) holds no process id"))?;
    let identity =
        Identity::of(pid).map_err(|_| format!("there is no process {pid}, which {shown} names"))?;
    Ok(Found { identity, how: format!("named by {shown}") })
}

/// A datagram socket can be bound to an address of this machine only.
fn is_own(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

fn sockets_here() -> impl Iterator<Item = TcpNetEntry> {
    [procfs::net::tcp(), procfs::net::tcp6()].into_iter().flatten().flatten()
}

/// Inodes of the sockets that listen on a port, at one of these addresses or at all; with no
/// address given, at any.
fn listeners(
    sockets: impl Iterator<Item = TcpNetEntry>,
    port: u16,
    addresses: &[IpAddr],
) -> Vec<u64> {
    let is_it = |socket: &TcpNetEntry| {
        socket.state == TcpState::Listen && fits(socket.local_address, port, addresses)
    };
    sockets.filter(is_it).map(|socket| socket.inode).collect()
}

fn fits(listens: SocketAddr, port: u16, addresses: &[IpAddr]) -> bool {
    let at = listens.ip().to_canonical();
    let everywhere = at.is_unspecified() || at == IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    listens.port() == port && (addresses.is_empty() || everywhere || addresses.contains(&at))
}

fn named() -> Vec<Process> {
    let all = procfs::process::all_processes().into_iter().flatten().flatten();
    all.filter(|process| process.stat().is_ok_and(|stat| stat.comm == NAME && stat.state != 'Z'))
        .collect()
}

/// Whether a process holds one of these sockets; nothing when it does not let us look.
fn holds(process: &Process, inodes: &[u64]) -> Option<bool> {
    let open = process.fd().ok()?;
    Some(
        open.flatten()
            .any(|fd| matches!(fd.target, FDTarget::Socket(inode) if inodes.contains(&inode))),
    )
}

fn only<'a>(mut processes: impl Iterator<Item = &'a Process>) -> Option<&'a Process> {
    let first = processes.next()?;
    processes.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_socket_fits_by_port_and_address() {
        let own: [IpAddr; 1] = ["127.0.0.1".parse().unwrap()];
        for (listens, expect) in [
            ("127.0.0.1:8080", true),
            ("0.0.0.0:8080", true),
            ("[::]:8080", true),
            ("[::ffff:127.0.0.1]:8080", true),
            ("127.0.0.2:8080", false),
            ("127.0.0.1:8081", false),
        ] {
            assert_eq!(fits(listens.parse().unwrap(), 8080, &own), expect, "{listens}");
        }
        assert!(is_own(own[0]));
        assert!(!is_own("192.0.2.1".parse().unwrap()), "an address of the documentation");
    }

    #[test]
    fn a_listener_of_another_name_is_not_taken_for_the_sequencer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let target = |port| Target { pid_file: None, host: "127.0.0.1".to_owned(), port };
        let refused = target(port).find().err().unwrap();
        assert!(refused.contains("SEQUENCER_PID_FILE"), "{refused}");
        drop(listener);
        let refused = target(port).find().err().unwrap();
        assert!(refused.contains("nothing listens"), "{refused}");
    }

    #[test]
    fn a_file_names_the_process_or_what_is_wrong_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("sequencer.pid");
        let target = Target { pid_file: Some(file.clone()), host: String::new(), port: 0 };
        let refused = |target: &Target| target.find().err().unwrap();
        assert!(refused(&target).contains("cannot be read"));
        for (text, word) in [("no number", "no process id"), ("4194304999", "no process id")] {
            std::fs::write(&file, text).unwrap();
            assert!(refused(&target).contains(word), "{text}");
        }
        std::fs::write(&file, format!("{}\n", std::process::id())).unwrap();
        let found = target.find().ok().unwrap();
        assert_eq!(found.identity.pid.cast_unsigned(), std::process::id());
        assert!(found.identity.is_alive());
    }
}
