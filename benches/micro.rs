//! What one reply, one change of the zone and one list from the API server cost. `cargo bench`.

mod fixture;

use divan::Bencher;
use k8s_node_dns::kube::{Change, WatchEvent};
use k8s_node_dns::zone::Zone;

fn main() {
    divan::main();
}

/// A query's reply, from a zone of 5 000 nodes.
#[divan::bench(args = fixture::QUESTIONS)]
fn reply(bencher: Bencher<'_, '_>, question: &fixture::Question) {
    let mut responder = fixture::Responder::new(5000);
    let query = question.query();
    bencher.bench_local(|| responder.reply(divan::black_box(&query)).len());
}

/// The whole zone, as after a start.
#[divan::bench(args = [10, 500, 5000])]
fn build_zone(bencher: Bencher<'_, '_>, nodes: usize) {
    let (config, cluster) = (fixture::zone_config(), fixture::cluster(nodes));
    bencher.bench_local(|| Zone::build(&config, &cluster));
}

/// The next zone after a node became ready or not: from the watch event to what can be published.
#[divan::bench(args = [10, 500, 5000])]
fn update_zone(bencher: Bencher<'_, '_>, nodes: usize) {
    let mut cluster = fixture::cluster(nodes);
    let mut zone = Zone::build(&fixture::zone_config(), &cluster);
    let mut ready = true;
    bencher.bench_local(|| {
        ready = !ready;
        let changes = cluster.apply(WatchEvent::Nodes(Change::Applied(fixture::node(nodes / 2, ready))));
        zone = zone.update(&cluster, &changes);
    });
}
