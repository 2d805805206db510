//! The growth curves as a picture.

use std::path::Path;

use plotters::prelude::*;

use crate::growth::Point;
use crate::rounds::median;
use crate::server::Result;

const OURS: RGBColor = RGBColor(0x1f, 0x6f, 0xb4);
const BASELINE: RGBColor = RGBColor(0xd9, 0x7a, 0x1a);

/// Cost of a record over the size of the table, which grows from point to point by factors: hence its logarithm.
pub fn draw(points: &[Point], path: &Path) -> Result<()> {
    let curve = |cost: fn(&Point) -> &[f64]| -> Vec<(f64, f64)> {
        points.iter().map(|point| (f64::from(point.recordings), median(cost(point)))).collect()
    };
    let curves = [
        ("run_pipeline_batch, 1,000 records a call", OURS, curve(|point| &point.pair.ours)),
        ("B1, one bare INSERT … SELECT a 1,000 records", BASELINE, curve(|point| &point.pair.theirs)),
    ];
    let most = curves.iter().flat_map(|(.., curve)| curve).fold(0.0, |most: f64, (_, cost)| most.max(*cost));
    let (least_rows, most_rows) = (f64::from(points[0].recordings), f64::from(points[points.len() - 1].recordings));

    let canvas = SVGBackend::new(path, (760, 400)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&canvas)
        .caption("Cost of a new record (2 kB transcript) as the table grows", ("sans-serif", 18))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d((least_rows..most_rows).log_scale(), 0.0..most * 1.35)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("recordings in the table")
        .y_desc("µs a record")
        .x_label_formatter(&|rows| thousands(*rows))
        .y_label_formatter(&|cost| format!("{cost:.0}"))
        .label_style(("sans-serif", 13))
        .draw()?;
    for (name, color, curve) in curves {
        chart
            .draw_series(LineSeries::new(curve.iter().copied(), color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        chart.draw_series(curve.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .label_font(("sans-serif", 13))
        .background_style(WHITE)
        .draw()?;
    canvas.present()?;
    Ok(())
}

fn thousands(number: f64) -> String {
    if number >= 1e6 { format!("{} million", number / 1e6) } else { format!("{},000", number / 1e3) }
}
