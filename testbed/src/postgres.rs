//! A real PostgreSQL of the tests' own: free port, temporary folder, ended with the process.

use std::fs::Permissions;
use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, Executor as _};
use uuid::Uuid;

/// Runs a server until its own standard input ends, which the end of this process sees to, however
/// that comes. The server's process id is the first line of its own file.
const KEEPER: &str = r#"folder=$1; shift
"$@" >"$folder/log" 2>&1 &
cat >/dev/null
kill -INT "$(head -n 1 "$folder/data/postmaster.pid")" 2>/dev/null
wait
if [ -e "$folder/remove" ]; then rm -rf "$folder"; fi"#;
/// Longest wait for a start or a stop.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server and its folder.
pub struct Postgres {
    folder: PathBuf,
    port: u16,
    keeper: Mutex<Option<Child>>,
    /// More settings, as `name=value`.
    settings: Vec<String>,
}

impl Postgres {
    /// The one server of this process, for tests that do it no harm.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// A server of the caller's own.
    pub fn start() -> Self {
        Self::start_with(&[], |_| Vec::new())
    }

    /// The same with these files in its folder, and the settings that follow from where they are.
    pub fn start_with(files: &[(&str, String)], settings: impl Fn(&Path) -> Vec<String>) -> Self {
        let folder = std::env::temp_dir().join(format!("sequencer-postgres-{}", Uuid::new_v4()));
        std::fs::create_dir(&folder).expect("the temporary folder can be written");
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        for (name, text) in files {
            let file = folder.join(name);
            std::fs::write(&file, text).expect("the folder can be written");
            std::fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
            if is_root() {
                run(Command::new("chown").arg("postgres").arg(&file));
            }
        }
        let data = folder.join("data");
        let mut initdb = as_owner(&program("initdb"));
        initdb.arg("-D").arg(&data).args(["-A", "trust", "-U", "postgres", "-E", "UTF8"]);
        run(initdb.args(["--locale=C", "--no-sync"]));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let settings = settings(&folder);
        let server = Self { folder, port, keeper: Mutex::new(None), settings };
        server.start_again();
        server
    }

    /// A standby that follows this server.
    pub fn standby(&self) -> Self {
        let folder = std::env::temp_dir().join(format!("sequencer-postgres-{}", Uuid::new_v4()));
        std::fs::create_dir(&folder).expect("the temporary folder can be written");
        if is_root() {
            run(Command::new("chown").arg("postgres").arg(&folder));
        }
        let mut copy = as_owner(&program("pg_basebackup"));
        copy.arg("-D").arg(folder.join("data")).args(["-R", "-c", "fast", "--no-sync", "-w"]);
        run(copy.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &self.port.to_string()]));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let standby = Self { folder, port, keeper: Mutex::new(None), settings: Vec::new() };
        standby.start_again();
        standby
    }

    /// Starts the stopped server on its old port and data.
    pub fn start_again(&self) {
        let (folder, data) = (self.folder.display(), self.folder.join("data"));
        std::fs::write(self.folder.join("remove"), "").expect("the folder can be written");
        let server = as_owner(&program("postgres"));
        let child = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&self.folder)
            .arg(server.get_program())
            .args(server.get_args())
            .arg("-D")
            .arg(data)
            .args(["-p", &self.port.to_string(), "-c", "listen_addresses=127.0.0.1"])
            .args(["-c", &format!("unix_socket_directories={folder}"), "-c", "max_connections=300"])
            .args(["-c", "logging_collector=off", "-c", "log_lock_waits=on"])
            .args(self.settings.iter().flat_map(|setting| ["-c", setting]))
            .stdin(Stdio::piped())
            .spawn()
            .expect("sh starts");
        *self.lock() = Some(child);
        let begin = Instant::now();
        while !self.answers() {
            assert!(begin.elapsed() < PATIENCE, "PostgreSQL does not start:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends the server: `INT` is fast and orderly, `QUIT` as after a crash.
    pub fn stop(&self, signal: &str) {
        let Some(mut keeper) = self.lock().take() else { return };
        // The folder stays: it may be started again.
        std::fs::remove_file(self.folder.join("remove")).unwrap();
        let pid = std::fs::read_to_string(self.folder.join("data/postmaster.pid")).unwrap();
        let pid = pid.lines().next().unwrap().to_owned();
        run(Command::new("kill").args([&format!("-{signal}"), &pid]));
        drop(keeper.stdin.take());
        keeper.wait().unwrap();
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// What the server has written about itself.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    /// A new empty database, by its URL.
    pub async fn database(&self) -> String {
        self.copy_of("template1").await
    }

    /// A new database with what is in another one, which nobody may use; by its URL.
    pub async fn copy_of(&self, name: &str) -> String {
        let copy = format!("t{}", Uuid::new_v4().simple());
        self.administer(&format!("CREATE DATABASE {copy} TEMPLATE {name}")).await;
        self.url(&copy)
    }

    /// All rows of a database, as text.
    pub fn dump(&self, name: &str) -> Vec<u8> {
        run(Command::new(program("pg_dump")).arg("--data-only").arg(self.url(name))).stdout
    }

    /// Removes a database, whoever uses it. Not async, so that a destructor can.
    pub fn remove(&self, name: &str) {
        let port = self.port.to_string();
        let mut remove = Command::new(program("dropdb"));
        remove.args(["--force", "-h", "127.0.0.1", "-U", "postgres", "-p", &port, name]);
        let _ = remove.stderr(Stdio::null()).status();
    }

    async fn administer(&self, sql: &str) {
        let mut connection = sqlx::postgres::PgConnectOptions::new_without_pgpass()
            .host("127.0.0.1")
            .port(self.port)
            .username("postgres")
            .database("postgres")
            .connect()
            .await
            .unwrap_or_else(|error| panic!("{error}\n{}", self.log()));
        connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
        connection.close().await.unwrap();
    }

    /// URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Child>> {
        self.keeper.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True when it takes connections; a server that is still recovering refuses them.
    fn answers(&self) -> bool {
        let port = self.port.to_string();
        let mut ask = Command::new(program("pg_isready"));
        ask.args(["-q", "-h", "127.0.0.1", "-U", "postgres", "-d", "postgres", "-p", &port]);
        ask.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop("INT");
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// SQLite's words for bytes, in PostgreSQL's.
pub fn spelled(sqlite: &str) -> String {
    let mut parts = sqlite.split("zeroblob(");
    let mut postgres = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (count, rest) = part.split_once(')').expect("zeroblob takes a number");
        postgres += &format!("decode(repeat('00', {count}), 'hex'){rest}");
    }
    postgres.replace("randomblob(32)", "sha256('chance')").replace("x'00'", "'\\x00'::bytea")
}

/// The server and initdb refuse root.
fn as_owner(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("runuser");
    command.args(["-u", "postgres", "--"]).arg(program);
    command
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A program of PostgreSQL's: on PATH, or where Debian puts the newest.
fn program(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut found: Vec<PathBuf> = std::env::split_paths(&path).map(|dir| dir.join(name)).collect();
    let debian = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<PathBuf> = debian.map(|entry| entry.path().join("bin")).collect();
    versions.sort();
    found.extend(versions.into_iter().rev().map(|dir| dir.join(name)));
    found.into_iter().find(|path| path.is_file()).unwrap_or_else(|| {
        panic!("{name} of PostgreSQL is missing; install it: apt-get install postgresql")
    })
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    if !output.status.success() {
        let _ = std::io::stderr().write_all(&output.stderr);
        panic!("{command:?}: {}", output.status);
    }
    output
}
