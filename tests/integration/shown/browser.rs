//! The page in a real browser: on a desk and on a phone, light and dark, with few nodes, with 5 000, and with names that
//! somebody chose to break it.
//!
//! The pictures stay in `target/tmp`, to be looked at.

use std::path::PathBuf;

use serde_json::json;

use super::super::common::process::program;
use super::chromium::{Browser, Window};
use super::*;

/// A node with what counts alone.
fn node(name: &str, areas: &str, addresses: &str, trouble: Option<&str>) -> Value {
    let annotations = json!({"k8s.pootis.network/node-areas": areas, "k8s.pootis.network/node-ips": addresses});
    let (status, message) = trouble.map_or(("True", "kubelet is posting ready status"), |message| ("Unknown", message));
    let condition = json!({"type": "Ready", "status": status, "reason": "KubeletReady", "message": message});
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "annotations": annotations},
        "status": {"conditions": [condition]}
    })
}

fn crowd() -> Vec<Value> {
    let one = |number: usize| {
        let addresses = format!("10.0.{}.{}, 2001:db8::{number:x}", number / 250, number % 250);
        let areas = format!("area-{}, region-{}", number % 50, number % 5);
        let trouble = number.is_multiple_of(97).then_some("Kubelet stopped posting node status.");
        node(&format!("node-{number:04}"), &areas, &addresses, trouble)
    };
    (0..5000).map(one).collect()
}

fn hostile() -> Vec<Value> {
    let script = "<script>console.error('ran')</script>";
    let image = "<img src=x onerror=console.error('ran')>";
    let many: Vec<_> = (0..40).map(|number| format!("192.0.2.{number}")).collect();
    vec![
        node(&"a".repeat(253), "home", &many.join(","), None),
        node(script, &format!("home, {script}"), "300.1.1.1", None),
        node("\u{202e}elpmaxe", &"b".repeat(63), "2001:db8:1234:5678:9abc:def0:1234:5678", Some(&"W".repeat(900))),
        node(&"漢字".repeat(40), "home", "192.0.2.99", Some(image)),
        node("z-1", &format!("home, {}", "c".repeat(200)), &format!("fe80::1%eth0, {}", "9".repeat(300)), None),
        node("only", "d", "2001:db8:1234:5678:9abc:def0:1234:5678", Some(script)),
    ]
}

#[test]
fn the_page_is_whole_on_a_desk_and_on_a_phone() {
    let Some(chromium) = program("chromium") else {
        return skip("shown: chromium", "chromium, from Debian's package chromium");
    };
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Browser::start(&chromium, folder.path());
    let write = |name: &str, items: Vec<Value>| {
        let path = folder.path().join(name);
        fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
        path
    };
    for (case, path, queries) in [
        ("few", repository("deploy/examples/home-and-cloud.yaml"), &["", "?name=cloud&type=A", "?area=cloud"][..]),
        ("none", write("none", vec![node("attic", "", "192.0.2.1", None)]), &["", "?area=home"]),
        ("crowd", write("crowd", crowd()), &["", "?area=area-0"]),
        ("hostile", write("hostile", hostile()), &["", "?area=home", "?name=%3Cscript%3Ealert(1)%3C/script%3E"]),
    ] {
        let daemon = from_file(&path);
        for (number, query) in queries.iter().enumerate() {
            for (width, height) in [(1280, 900), (390, 844)] {
                for dark in [false, true] {
                    let url = format!("http://{}/{query}", daemon.http());
                    let complaints = browser.open(&url, Window { width, height, dark, scale: 1.0 });
                    let what = format!("{case}{query} at {width}, dark: {dark}");
                    assert!(complaints.is_empty(), "{what}: {complaints:#?}");
                    // Folded names are as wide as open ones only once they are open.
                    browser.value("for (const fold of document.querySelectorAll('details')) fold.open = true");
                    let wide = format!(
                        "[...document.querySelectorAll('body *')].filter((element) => \
                         element.getBoundingClientRect().right > {width}).slice(0, 5).map((element) => \
                         element.outerHTML.slice(0, 200))"
                    );
                    let scroll = browser.value("document.documentElement.scrollWidth");
                    assert_eq!(scroll, width, "{what}: {}", browser.value(&wide));
                    let scheme = browser.value("getComputedStyle(document.body).backgroundColor");
                    assert_eq!(scheme == "rgb(20, 23, 26)", dark, "{what}: {scheme}");
                    browser.open(&url, Window { width, height, dark, scale: 1.0 });
                    let shade = if dark { "dark" } else { "light" };
                    let name = format!("page-{case}-{number}-{width}-{shade}.png");
                    fs::write(PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name), browser.picture()).unwrap();
                }
            }
        }
        daemon.stop();
    }
}

/// `cargo test --test integration pictures -- --ignored` takes the pictures of the README anew.
#[test]
#[ignore = "it writes docs/page-light.png and docs/page-dark.png"]
fn the_pictures_of_the_readme() {
    let chromium = program("chromium").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut browser = Browser::start(&chromium, folder.path());
    let daemon = from_file(Path::new("deploy/examples/home-and-cloud.yaml")); // the picture has the path as it is here
    for (shade, dark) in [("light", false), ("dark", true)] {
        let url = format!("http://{}/", daemon.http());
        let complaints = browser.open(&url, Window { width: 800, height: 655, dark, scale: 1.5 });
        assert!(complaints.is_empty(), "{complaints:#?}");
        fs::write(repository(&format!("docs/page-{shade}.png")), browser.picture()).unwrap();
    }
    daemon.stop();
}
