//! The map: the outlines of the region as a picture that browsers keep, and the nodes over it.
//!
//! The outlines are Natural Earth's (1:50m countries, public domain), thinned for drawing.

use crate::assets::Asset;
use serde::Deserialize;
use std::{collections::BTreeMap, fmt::Write as _, sync::LazyLock};

const REGION: &str = include_str!("../../assets/region.geojson");

/// The corner of the map in the north-west: longitude and latitude in degrees.
const NORTH_WEST: (f64, f64) = (37.6, 37.9);
/// How many units of the picture a degree of latitude takes, and one of longitude: at 33 degrees
/// north it is shorter.
const LATITUDE_UNITS: f64 = 56.0;
const LONGITUDE_UNITS: f64 = 47.0;
/// The picture's size.
pub(crate) const MAP_WIDTH: u32 = 540;
pub(crate) const MAP_HEIGHT: u32 = 508;

#[derive(Deserialize)]
struct Region {
    features: Vec<Feature>,
}

#[derive(Deserialize)]
struct Feature {
    properties: FeatureNames,
    geometry: Geometry,
}

#[derive(Deserialize)]
struct FeatureNames {
    code: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "coordinates")]
enum Geometry {
    Point((f64, f64)),
    MultiPolygon(Vec<Vec<Vec<(f64, f64)>>>),
}

static READ: LazyLock<Region> = LazyLock::new(|| {
    serde_json::from_str(REGION).unwrap_or(Region {
        features: Vec::new(),
    })
});

/// Where each crossing lies on the picture.
static PLACES: LazyLock<BTreeMap<String, (f64, f64)>> = LazyLock::new(|| {
    let point = |feature: &Feature| match feature.geometry {
        Geometry::Point(at) => Some((feature.properties.code.clone(), projected(at))),
        Geometry::MultiPolygon(_) => None,
    };
    READ.features.iter().filter_map(point).collect()
});

/// The outlines as a picture of their own. A picture hears nothing of the page's colours, so it is
/// drawn in one that stands out from light and from dark.
static OUTLINE: LazyLock<Asset> = LazyLock::new(|| {
    let mut paths = String::new();
    for feature in &READ.features {
        let Geometry::MultiPolygon(polygons) = &feature.geometry else {
            continue;
        };
        let opacity = match feature.properties.code.as_str() {
            "IQ" => "0.22",
            _ => "0.07",
        };
        let lines = polygons.iter().flatten().map(|ring| path_of(ring));
        // Writing to a text cannot fail.
        let _ = write!(
            paths,
            "<path fill-opacity=\"{opacity}\" d=\"{}\"/>",
            lines.collect::<String>()
        );
    }

    let picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {MAP_WIDTH} {MAP_HEIGHT}\">\
         <g fill=\"#8a7c60\" stroke=\"#8a7c60\" stroke-opacity=\"0.7\" stroke-linejoin=\"round\">\
         {paths}</g></svg>"
    );
    Asset::new("region", "svg", "image/svg+xml", picture.into())
});

/// The asset with the outlines.
pub(crate) fn outline() -> &'static Asset {
    &OUTLINE
}

/// Where a crossing lies on the picture; none where the map does not know it. The hub has no
/// crossing, and lies at the capital.
pub(crate) fn place(code: &str) -> Option<(f64, f64)> {
    PLACES.get(code).copied()
}

fn projected((longitude, latitude): (f64, f64)) -> (f64, f64) {
    let x = (longitude - NORTH_WEST.0) * LONGITUDE_UNITS;
    let y = (NORTH_WEST.1 - latitude) * LATITUDE_UNITS;
    ((x * 10.0).round() / 10.0, (y * 10.0).round() / 10.0)
}

fn path_of(ring: &[(f64, f64)]) -> String {
    let points = ring.iter().map(|at| projected(*at));
    let written: Vec<String> = points.map(|(x, y)| format!("{x:.0} {y:.0}")).collect();
    format!("M{}Z", written.join("L"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_six_crossings_and_the_hub_lie_on_the_picture() {
        for code in ["WLD", "TRB", "QAM", "RAB", "MUN", "MAN", "HUB"] {
            let (x, y) = place(code).unwrap();
            assert!(x > 20.0 && x < f64::from(MAP_WIDTH) - 20.0, "{code} {x}");
            assert!(y > 20.0 && y < f64::from(MAP_HEIGHT) - 20.0, "{code} {y}");
        }
        assert_eq!(place("XYZ"), None);
    }

    #[test]
    fn the_outlines_are_a_small_picture_without_styles() {
        let picture = outline().text();
        assert!(picture.len() < 24_000, "{}", picture.len());
        assert!(picture.contains("<path") && !picture.contains("style"));
    }
}
