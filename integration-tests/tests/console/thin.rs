//! The console at the site's end of a thin link, in a real browser: what goes over is counted, and
//! how long a page takes is told with `--nocapture`.

use integration_tests::{World, browser::Browser, operations};
use serde_json::Value;
use tokio::runtime::Runtime;
use wadi_lab::{Heading, TcpLink};

/// Compressed bytes of a page's first view at most, with its head.
const VIEW_BYTES_MAX: u64 = 15 * 1024;
/// The same of styles and script together.
const ASSET_BYTES_MAX: u64 = 31 * 1024;

/// What the browser itself measured of the page that it shows, milliseconds since it was asked for:
/// until it could be used, and until all of it was there.
fn told_by_browser(browser: &Browser, page: &str) {
    let timing = "(() => { const n = performance.getEntriesByType('navigation')[0]; return \
                  [n.domInteractive, n.loadEventEnd, n.transferSize, \
                  performance.getEntriesByType('resource').length] })()";
    let timing: Vec<Value> = browser
        .evaluate(timing)
        .as_array()
        .cloned()
        .unwrap_or_default();
    let of = |at: usize| timing.get(at).and_then(Value::as_f64).unwrap_or_default();
    println!(
        "{page}: usable after {:.0} ms, whole after {:.0} ms, {} bytes of HTML, {} files beside it",
        of(0),
        of(1),
        of(2),
        of(3)
    );
}

#[test]
fn an_operator_at_the_end_of_a_thin_link_reads_the_board_and_a_record() {
    let mut world = World::default();
    world.start("hub", &[]);
    let hub = world.site("hub");
    hub.post_text("/v1/imports", &operations(0, 60)).unwrap();

    let runtime = Runtime::new().unwrap();
    let here = "127.0.0.1:0".parse().unwrap();
    let target = hub.url().replace("http://", "").parse().unwrap();
    let profile = "vsat-256".parse().unwrap();
    let seed = integration_tests::seed();
    let opened = TcpLink::listen(here, target, profile, seed);
    let link = runtime.block_on(opened).unwrap();

    let browser = Browser::open_at(&format!("http://{}", link.address), "ar");
    let mut before = 0;
    let mut came = |browser: &Browser, page: &str| {
        told_by_browser(browser, page);
        let all = link.counters(Heading::Down).delivered.bytes;
        let of_page = all - before;
        before = all;
        of_page
    };

    // The first page brings styles and script with it, and no later one does.
    browser.go("/console/sign-in");
    let first = came(&browser, "sign-in, nothing kept");
    assert!(
        (4_096..=VIEW_BYTES_MAX + ASSET_BYTES_MAX).contains(&first),
        "{first}"
    );

    browser.sign_in(&hub.token());
    came(&browser, "after signing in");
    for page in ["/console/sites", "/console/records", "/console/findings"] {
        browser.go(page);
        let bytes = came(&browser, page);
        assert!((512..=VIEW_BYTES_MAX).contains(&bytes), "{page}: {bytes}");
    }
}
