//! SIGHUP, and what systemd is told: files are read again that look as before, and `NOTIFY_SOCKET` hears of it.

use std::fs::{self, File};
use std::os::unix::net::UnixDatagram;

use nix::sys::signal::Signal;
use serde_json::json;

use super::common::{FakeApi, Launch, PATIENCE, objects, repository, web};

/// systemd's side of the socket.
struct Systemd(UnixDatagram);

impl Systemd {
    /// Waits for a message that begins so, and returns it; others may come before.
    fn hears(&self, beginning: &str) -> String {
        let mut heard = Vec::new();
        let mut buffer = [0; 2000];
        loop {
            let Ok(length) = self.0.recv(&mut buffer) else { panic!("no {beginning:?} in {heard:#?}") };
            let message = String::from_utf8(buffer[..length].to_vec()).unwrap();
            if message.starts_with(beginning) {
                return message;
            }
            heard.push(message);
        }
    }
}

#[test]
fn systemd_hears_how_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let systemd = Systemd(UnixDatagram::bind(&path).unwrap());
    systemd.0.set_read_timeout(Some(PATIENCE)).unwrap();
    let file = repository("deploy/examples/home-and-cloud.yaml");
    let launch = Launch::new().flag("--cluster-file", &file).flag("--lame-duck", "1h");
    let daemon = launch.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000").start();
    systemd.hears("READY=1\nSTATUS=");
    systemd.hears("WATCHDOG=1");
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
    daemon.signal(Signal::SIGHUP);
    let reloading = systemd.hears("RELOADING=1\nMONOTONIC_USEC=");
    assert!(reloading.rsplit('=').next().unwrap().parse::<u64>().unwrap() > 0, "{reloading}");
    let ready = systemd.hears("READY=1\n");
    let status = format!("READY=1\nSTATUS=serving lb.example.test from cluster file {}: ", file.display());
    assert!(ready.starts_with(&status) && ready.ends_with(" names"), "{ready}");
    daemon.signal(Signal::SIGTERM);
    assert_eq!(systemd.hears("STOPPING=1"), "STOPPING=1\nSTATUS=stopping upon SIGTERM: DNS is answered for another 1h");
    systemd.hears("WATCHDOG=1");
    daemon.ends_with(Signal::SIGINT);
}

#[test]
fn a_cluster_file_that_looks_as_before_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.yaml");
    fs::copy(repository("deploy/examples/home-and-cloud.yaml"), &path).unwrap();
    let daemon = Launch::new().flag("--cluster-file", &path).start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.10 192.0.2.11");
    // As long as before, and of the same time: nothing tells that it is another one.
    let modified = fs::metadata(&path).unwrap().modified().unwrap();
    let text = fs::read_to_string(&path).unwrap().replace("192.0.2.10", "192.0.2.99");
    fs::write(&path, text).unwrap();
    File::options().append(true).open(&path).unwrap().set_modified(modified).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log(&["SIGHUP: the cluster file", "is read again"]);
    daemon.wait_for("home.lb.example.test A", "192.0.2.11 192.0.2.99");
    daemon.wait_for_log(&["was read again"]);
    daemon.stop();
}

#[test]
fn a_kubeconfig_that_names_another_server_is_followed() {
    let (old, new) = (FakeApi::start(), FakeApi::start());
    old.put(objects::node("attic", "home", "192.0.2.1"));
    // Nodes of another cluster: nothing of the old one stays.
    new.put(objects::node("vps", "cloud", "198.51.100.1"));
    let kubeconfig = old.kubeconfig(json!({}), json!({}));
    let daemon = Launch::new().flag("--kubeconfig", &kubeconfig).flag("--http-listen", "127.0.0.1:0").start();
    let http = daemon.http();
    let names = |address: &str| {
        let page = web::get(http, "/").body;
        let status: serde_json::Value = serde_json::from_str(&web::get(http, "/status.json").body).unwrap();
        let described = status["source"]["description"].as_str().unwrap().contains(address);
        assert_eq!(page.contains(address), described, "{page}");
        described
    };
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");

    assert!(names(&old.address.to_string()));
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log(&["SIGHUP:", "is as before"]);

    let good = fs::read(new.kubeconfig(json!({}), json!({}))).unwrap();
    fs::write(&kubeconfig, "clusters: [").unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log(&["ERROR SIGHUP:", "kubeconfig", "what was read before is used on"]);
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");

    fs::write(&kubeconfig, good).unwrap();
    daemon.signal(Signal::SIGHUP);
    daemon.wait_for_log(&["SIGHUP: from now on the cluster is", &new.address.to_string()]);
    daemon.wait_for("cloud.lb.example.test A", "198.51.100.1");
    daemon.wait_for("home.lb.example.test A", "NXDOMAIN");
    new.put(objects::node("vps", "cloud", "198.51.100.2"));
    daemon.wait_for("cloud.lb.example.test A", "198.51.100.2");
    daemon.wait_for_log(&["connected to the API at", &new.address.to_string()]);
    assert!(names(&new.address.to_string()) && !names(&old.address.to_string()));
    new.refuse_connections();
    daemon.wait_for_log(&["connection to the API at", &new.address.to_string(), "lost"]);
    daemon.stop();
}
