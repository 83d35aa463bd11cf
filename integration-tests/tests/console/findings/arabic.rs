//! A finding in Arabic, on every page on which it stands.

use super::{PageReader, auditor, findings, path_of, world_with_findings};

#[test]
fn an_auditor_reads_in_arabic_what_a_finding_says() {
    let world = world_with_findings(1);
    let (hub, trb) = (world.site("hub"), world.site("trb"));
    let finding = findings(hub).remove(0);
    let record = finding["record"].as_str().expect("a record");
    let on_record = format!("/console/records/{record}");
    let own = PageReader::of(hub, &auditor(hub, "AU-1")).in_arabic();

    let officer = "<bdi lang=\"ar\">الموظف <bdi>OF-1</bdi> هو من قام بالإجراء على السجل ";
    let case = "/console/findings/cases/officer/OF-1";
    for path in ["/console/findings", case, &path_of(&finding), &on_record] {
        let page = own.see(path);
        assert!(page.contains(officer), "{path}: {page}");
        assert!(!page.contains("is both performer"), "{path}: {page}");
    }

    // Its records are links where it stands for itself, and codes are named with the code beside.
    let page = own.see(&path_of(&finding));
    let link = format!("على السجل <a href=\"{on_record}\"><bdi>{record}</bdi></a>");
    assert!(page.contains(&link), "{page}");
    let code = "<bdi>وزن المركبة</bdi> <bdi dir=\"ltr\" class=\"mono faint\">weighed</bdi>";
    assert!(page.contains(code), "{page}");

    // At the crossing, too, whose records say what the hub published on them.
    let reader = PageReader::of(trb, &trb.token()).in_arabic();
    world.wait("the crossing reads it", || {
        reader.see(&on_record).contains(officer)
    });
    assert!(!reader.see(&on_record).contains("is both performer"));
    let english = PageReader::of(hub, &hub.token()).see(&path_of(&finding));
    assert!(english.contains(" is both performer and "), "{english}");
}
