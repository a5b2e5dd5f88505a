//! kubectl as the administrator of the API server that a test started.

use std::io::Write;
use std::process::Stdio;

use serde_json::json;

use super::super::common::real_api::RealApi;
use super::*;

/// kubectl, and the kubeconfig that Helm gets too.
pub(super) struct Kubectl {
    program: PathBuf,
    pub(super) kubeconfig: PathBuf,
    /// The certificate, and what kubectl keeps for itself.
    home: tempfile::TempDir,
}

impl Kubectl {
    pub(super) fn find(api: &RealApi) -> Option<Self> {
        let program = find("kubectl")?;
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = api.authority.client("admin", "system:masters").write(folder.path(), "admin");
        let user = json!({"client-certificate": certificate, "client-key": key});
        let kubeconfig = api.kubeconfig_for("admin", api.port, &user);
        Some(Self { program, kubeconfig, home: folder })
    }

    /// Runs it in the repository with `input`, and gives its output. It must succeed without a warning.
    #[track_caller]
    pub(super) fn run_with<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> String {
        let (output, complaints) = self.try_with(arguments, input).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(complaints, "", "kubectl complains");
        output
    }

    /// Likewise, without an input.
    #[track_caller]
    pub(super) fn run(&self, arguments: &str) -> String {
        self.run_with(arguments.split(' '), "")
    }

    /// Output and complaints, or why it failed.
    pub(super) fn try_with<S: AsRef<std::ffi::OsStr>>(
        &self,
        arguments: impl IntoIterator<Item = S>,
        input: &str,
    ) -> Result<(String, String), String> {
        let mut child = self.command().args(arguments).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let (out, err) = (text(output.stdout), text(output.stderr));
        if output.status.success() { Ok((out, err)) } else { Err(err) }
    }

    /// An object as the server has it.
    pub(super) fn object(&self, arguments: &str) -> Value {
        serde_json::from_str(&self.run(&format!("get -o json {arguments}"))).unwrap()
    }

    /// Runs a command line in a shell, as a person who copied it, and gives what it prints.
    #[track_caller]
    pub(super) fn shell(&self, line: &str) -> String {
        let folder = self.program.parent().unwrap().to_str().unwrap();
        let path = format!("{folder}:{}", std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", line]).current_dir(repository("")).env("PATH", path);
        let output = command.env("KUBECONFIG", &self.kubeconfig).env("HOME", self.home.path()).output().unwrap();
        assert!(output.status.success(), "{line}:\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(repository("")).env_clear().env("KUBECONFIG", &self.kubeconfig);
        command.env("HOME", self.home.path());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}
