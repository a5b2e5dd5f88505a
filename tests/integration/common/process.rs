//! Other people's programs as child processes: found, started with a log in a file, killed in the end.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A process with its log in a file.
pub(crate) struct Process {
    command: Command,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts it with an empty environment and its output in the file `log`.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let mut own = Command::new(command.get_program());
        own.args(command.get_args()).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
        let child = spawn(&mut own, log);
        Self { command: own, child, log: log.to_owned() }
    }

    /// Ends it without a warning, as a power cut does.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again after its end; the log goes on.
    pub(crate) fn start_again(&mut self) {
        assert!(!self.runs(), "it did not end");
        self.child = spawn(&mut self.command, &self.log);
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), signal).unwrap();
    }

    /// Whether it has not ended.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// What it wrote so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap()).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(command: &mut Command, log: &Path) -> Child {
    let file = std::fs::File::options().create(true).append(true).open(log).unwrap();
    command.stderr(file).spawn().unwrap()
}

/// The path of a program, if the machine has it; servers are often where only root looks.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var("PATH").unwrap_or_default();
    let folders = path.split(':').chain(["/usr/sbin", "/sbin"]);
    folders.map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}
