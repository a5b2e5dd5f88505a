//! The status page and `/status.json`, with few nodes, with none, with 5 000, and with names that somebody chose to do harm.

use std::fs;

use serde_json::{Value, json};

use super::*;

/// A page of 5 000 nodes has this many bytes at most.
const LIMIT: usize = 500_000;

/// A daemon that takes its objects from a file with these items.
fn with(items: &[Value]) -> (tempfile::TempDir, Daemon) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.json");
    fs::write(&path, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()).unwrap();
    let daemon = serving(&path);
    (folder, daemon)
}

/// Everything that a browser would fetch or run because of the page is the server's own.
fn check_policy(reply: &web::Reply) {
    let policy = reply.header("content-security-policy").unwrap();
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    for attribute in ["href=\"", "src=\"", "action=\""] {
        for value in reply.body.split(attribute).skip(1) {
            assert!(value.starts_with('/') && !value.starts_with("//"), "{attribute}{value:.60}");
        }
    }
    for inline in [" style=", "<style", " onclick=\"", "javascript:"] {
        assert!(!reply.body.contains(inline), "{inline}");
    }
    assert_eq!(reply.body.matches("<script").count(), 1, "its own, from /page.js");
}

#[test]
fn the_page_says_who_is_in_and_who_is_not_and_why() {
    let daemon = example();
    let reply = web::get(daemon.http(), "/");
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("text/html; charset=utf-8")));
    check_policy(&reply);
    for expect in [
        "Serving lb.example.test since ",
        "from cluster file ",
        "5 of 6 nodes in.",
        "<strong>cloud</strong><span class=ratio>2 of 3 in</span>",
        "<tr class=out><th scope=row>fra-2<td><span class=side>out</span><td>NotReady",
        "<tr class=in><th scope=row>fra-1<td><span class=side>in</span><td>203.0.113.21, 2001:db8:2::21",
        "<strong>git.apps</strong>",
        "What changed",
    ] {
        assert!(reply.body.contains(expect), "{expect} is not in\n{}", reply.body);
    }
    for (path, content_type) in
        [("/style.css", "text/css"), ("/page.js", "text/javascript"), ("/icon.svg", "image/svg+xml")]
    {
        let reply = web::get(daemon.http(), path);
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.header("content-type").unwrap().starts_with(content_type), "{path}");
    }
    daemon.stop();
}

#[test]
fn a_name_is_answered_as_dns_answers_it_with_the_reason() {
    let daemon = example();
    for (query, expects) in [
        ("name=cloud&type=A", &["NOERROR", "cloud.lb.example.test. 30 IN A 203.0.113.21", "2 of the 3 nodes"][..]),
        ("name=cloud.LB.example.test.&type=AAAA", &["NOERROR", "IN AAAA 2001:db8:2::21"]),
        ("name=office", &["NXDOMAIN", "No node lists an area office", "IN SOA"]),
        ("name=mail.apps&type=a", &["NXDOMAIN", "no Service mail in namespace apps"]),
        ("name=example.org.", &["REFUSED", "20 (Not Authoritative)", "not in the zone"]),
        ("name=a..b", &["is not a name"]),
        ("name=home&type=%3Cb%3E", &["&lt;b&gt; is not a type"]),
    ] {
        let reply = web::get(daemon.http(), &format!("/?{query}"));
        assert_eq!(reply.status, 200, "{query}");
        for expect in expects {
            assert!(reply.body.contains(expect), "{query}: {expect} is not in\n{}", reply.body);
        }
        check_policy(&reply);
    }
    daemon.stop();
}

#[test]
fn while_nothing_is_loaded_the_page_says_what_is_missing() {
    let api = FakeApi::start();
    api.refuse_connections();
    let kubeconfig = api.kubeconfig(json!({}), json!({}));
    let daemon = Launch::new().flag("--kubeconfig", kubeconfig).flag("--http-listen", "127.0.0.1:0").start();
    let http = daemon.http();
    let page = web::get(http, "/?name=home").body;
    for expect in ["Not serving lb.example.test yet: the nodes have not been listed", "SERVFAIL", "14 (Not Ready)"] {
        assert!(page.contains(expect), "{expect} is not in\n{page}");
    }
    let status: Value = serde_json::from_str(&web::get(http, "/status.json").body).unwrap();
    assert_eq!((&status["level"], &status["zone"]), (&json!("bad"), &Value::Null));
    assert_eq!(status["source"]["loaded"]["nodes"], "missing");
    daemon.stop();
}

#[test]
fn a_cluster_without_areas_is_told_how_to_make_one() {
    let (_folder, daemon) = with(&[objects::node("attic", "", "192.0.2.1")]);
    let page = web::get(daemon.http(), "/").body;
    for expect in ["No node lists an area.", "No Service has a name.", "Nodes in no area"] {
        assert!(page.contains(expect), "{expect} is not in\n{page}");
    }
    let page = web::get(daemon.http(), "/?area=home").body;
    assert!(page.contains("There is no area or Service <strong>home</strong> now."), "{page}");
    daemon.stop();
}

#[test]
fn what_others_wrote_stays_text() {
    let script = "<script>alert('x')</script>";
    let mut out = objects::with_ready(objects::node("b\" onclick=\"x", "home", "192.0.2.2"), "False");
    for condition in out["status"]["conditions"].as_array_mut().unwrap() {
        condition["message"] = json!("</table><img src=x onerror=alert(1)>\u{202e}");
    }
    let areas = format!("home, {script}");
    let (_folder, daemon) = with(&[objects::node(script, &areas, &format!("192.0.2.1, {script}")), out]);
    for path in
        ["/", "/?area=home", "/?name=%3Cscript%3Ealert(1)%3C/script%3E&type=%3Cscript%3E", "/?area=%3Cscript%3E"]
    {
        let reply = web::get(daemon.http(), path);
        check_policy(&reply);
        assert!(!reply.body.contains("<img") && !reply.body.contains("\" onclick"), "{path}\n{}", reply.body);
        assert!(!reply.body.contains('\u{202e}'), "{path}: text that runs backwards");
    }
    let page = web::get(daemon.http(), "/").body;
    assert!(page.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;"), "{page}");
    let status: Value = serde_json::from_str(&web::get(daemon.http(), "/status.json").body).unwrap();
    assert_eq!(status["nodes"][0]["name"], script);
    let metrics = web::get(daemon.http(), "/metrics").body;
    assert!(!metrics.contains("<script"), "{metrics}");
    daemon.stop();
}

#[test]
fn objects_that_cannot_be_decoded_are_shown_until_they_can() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    let kubeconfig = api.kubeconfig(json!({}), json!({}));
    let daemon = Launch::new().flag("--kubeconfig", kubeconfig).flag("--http-listen", "127.0.0.1:0").start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    let left_out = || {
        let status: Value = serde_json::from_str(&web::get(daemon.http(), "/status.json").body).unwrap();
        status["source"]["unreadable"].clone()
    };
    assert_eq!(left_out(), json!([]));
    assert!(!web::get(daemon.http(), "/").body.contains("left out"));
    let mut bad = objects::node("<b>attic", "home", "192.0.2.1");
    bad["status"]["conditions"] = json!("none");
    api.put(bad);
    let mut attic = objects::node("attic", "home", "192.0.2.1");
    attic["status"] = json!(5);
    api.put(attic);
    daemon.wait_for("home.lb.example.test A", "NXDOMAIN");
    let reason = "status is a number without quotes where a map is expected";
    assert_eq!(left_out(), json!([{"kind": "nodes", "count": 2, "object": "Node attic", "reason": reason}]),);
    let reply = web::get(daemon.http(), "/");
    check_policy(&reply);
    let shown = format!("<p class=note>nodes: 2, the last of them Node attic: {reason}</p>");
    assert!(reply.body.contains("Objects that are left out") && reply.body.contains(&shown), "{}", reply.body);
    api.put(objects::node("attic", "home", "192.0.2.9"));
    daemon.wait_for("home.lb.example.test A", "192.0.2.9");
    let left = left_out();
    assert_eq!((&left[0]["count"], &left[0]["object"]), (&json!(1), &json!("Node <b>attic")));
    assert!(web::get(daemon.http(), "/").body.contains("the last of them Node &lt;b&gt;attic: status.conditions is"));
    daemon.stop();

    // Of a file likewise.
    let mut service = objects::service("apps", "git");
    service["metadata"]["annotations"] = json!(7);
    let (_folder, daemon) = with(&[objects::node("attic", "home", "192.0.2.1"), service]);
    let status: Value = serde_json::from_str(&web::get(daemon.http(), "/status.json").body).unwrap();
    let left = &status["source"]["unreadable"][0];
    assert_eq!((&left["kind"], &left["object"]), (&json!("services"), &json!("Service apps/git")));
    daemon.stop();
}

/// Node number so and so of 5 000, with what counts alone, so that reading the file takes no longer than the test.
fn small(number: usize, areas: &str) -> Value {
    let address = format!("10.{}.{}.{}, 2001:db8::{number:x}", number / 62_500, number / 250 % 250, number % 250);
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": format!("node-{number:04}"),
            "annotations": {"k8s.pootis.network/node-areas": areas, "k8s.pootis.network/node-ips": address}
        },
        "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}]}
    })
}

/// The same in trouble.
fn troubled(number: usize, areas: &str) -> Value {
    let mut node = objects::with_ready(small(number, areas), "False");
    node["metadata"]["name"] = format!("node-{number:04}.{}", "a-long-name-of-a-node".repeat(5)).into();
    node["metadata"]["annotations"]["k8s.pootis.network/node-ips"] = "300.1.1.1, 10.0.0.0/8, fe80::1%eth0".into();
    let message = "the container runtime is down, and this is a long story. ".repeat(10);
    node["status"]["conditions"][0]["message"] = message.into();
    node
}

#[test]
fn five_thousand_nodes_fit_into_the_page() {
    for (case, items) in [
        ("one area", (0..5000).map(|number| small(number, "home")).collect::<Vec<_>>()),
        ("50 areas", (0..5000).map(|number| small(number, &format!("area-{}", number % 50))).collect()),
        ("5 000 areas", (0..5000).map(|number| small(number, &format!("area-{number}"))).collect()),
        ("no area", (0..5000).map(|number| small(number, "")).collect()),
        ("50 areas, all in trouble", (0..5000).map(|n| troubled(n, &format!("home, area-{}", n % 50))).collect()),
        (
            "areas of nodes with 2 000 addresses",
            (0..20)
                .map(|number| {
                    let mut node = small(number, &format!("area-{number}, area-7"));
                    let addresses: Vec<_> = (0..2000).map(|n| format!("10.{number}.{}.{}", n / 250, n % 250)).collect();
                    node["metadata"]["annotations"]["k8s.pootis.network/node-ips"] = addresses.join(",").into();
                    node
                })
                .collect(),
        ),
        ("5 000 areas, all in trouble", (0..5000).map(|n| troubled(n, &format!("home, area-{n}"))).collect()),
    ] {
        let (_folder, daemon) = with(&items);
        let page = web::get(daemon.http(), "/");
        assert_eq!(page.status, 200, "{case}");
        assert!(page.body.len() <= LIMIT, "{case}: {} bytes", page.body.len());
        assert!(page.body.ends_with("</html>\n"), "{case}");
        if case.contains("area") && case != "no area" {
            let area = if case == "one area" || case.contains("trouble") { "home" } else { "area-7" };
            let whole = web::get(daemon.http(), &format!("/?area={area}")).body;
            let listed = items.iter().filter(|item| {
                let annotations = &item["metadata"]["annotations"]["k8s.pootis.network/node-areas"];
                annotations.as_str().unwrap().split(", ").any(|listed| listed == area)
            });
            assert_eq!(whole.matches("<tr class=").count(), listed.count(), "{case}: ?area={area} shows all");
        }
        daemon.stop();
    }
}

#[test]
fn a_change_is_on_the_time_line_with_what_it_did() {
    let api = FakeApi::start();
    api.put(objects::node("attic", "home", "192.0.2.1"));
    let kubeconfig = api.kubeconfig(json!({}), json!({}));
    let daemon = Launch::new().flag("--kubeconfig", kubeconfig).flag("--http-listen", "127.0.0.1:0").start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    api.put(objects::with_ready(objects::node("attic", "home", "192.0.2.1"), "Unknown"));
    daemon.wait_for("home.lb.example.test A", "NODATA");
    let status: Value = serde_json::from_str(&web::get(daemon.http(), "/status.json").body).unwrap();
    assert_eq!(status["version"], 1);
    assert_eq!(status["level"], "warning");
    assert_eq!(status["nodes"][0]["reason"], "ready-unknown");
    assert_eq!(
        status["areas"][0],
        json!({
            "name": "home", "listed": 1, "eligible": 0, "addresses": [],
            "answered_with": "nothing", "priority": null, "fallback": [], "stands_in": null
        })
    );
    let texts: Vec<_> =
        status["changes"].as_array().unwrap().iter().map(|change| change["text"].as_str().unwrap()).collect();
    assert_eq!(texts[0], "home has no address left");
    assert!(texts[1].contains("node attic is out") && texts[1].contains("192.0.2.1 leaves home"), "{texts:?}");
    let page = web::get(daemon.http(), "/").body;
    assert!(page.contains("192.0.2.1 leaves home"), "{page}");
    let metrics = web::get(daemon.http(), "/metrics").body;
    assert!(metrics.contains("k8s_node_dns_node_state_changes_total{state=\"out\"} 1\n"), "{metrics}");
    daemon.stop();
}

#[test]
fn a_crowd_that_looks_at_the_page_keeps_no_change_from_dns() {
    let api = FakeApi::start();
    for number in 0..500 {
        api.put(objects::node(&format!("node-{number}"), "home", "192.0.2.1"));
    }
    let kubeconfig = api.kubeconfig(json!({}), json!({}));
    let daemon = Launch::new().flag("--kubeconfig", kubeconfig).flag("--http-listen", "127.0.0.1:0").start();
    daemon.wait_for("home.lb.example.test A", "192.0.2.1");
    let http = daemon.http();
    let crowd =
        (0..4).map(|_| std::thread::spawn(move || (0..50).map(|_| web::get(http, "/").status).collect::<Vec<_>>()));
    let crowd: Vec<_> = crowd.collect();
    for last in 2..12 {
        let address = format!("192.0.2.{last}");
        api.put(objects::node("other", "other", &address));
        daemon.wait_for("other.lb.example.test A", &address);
    }
    for watcher in crowd {
        assert!(watcher.join().unwrap().iter().all(|status| *status == 200));
    }
    daemon.stop();
}
