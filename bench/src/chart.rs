//! Draws curves of cost over the size of a table.

use std::path::Path;

use plotters::prelude::*;

use crate::error::Result;

pub struct Curve {
    pub name: &'static str,
    /// Rows of the table, from few to many, with the microseconds a record.
    pub points: Vec<(f64, f64)>,
}

const COLORS: [RGBColor; 2] = [RGBColor(0x1f, 0x6f, 0xb4), RGBColor(0xd9, 0x7a, 0x1a)];

/// Writes an SVG file. The axis of the table's size is logarithmic.
pub fn draw(caption: &str, curves: &[Curve; COLORS.len()], path: &Path) -> Result<()> {
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let most_cost = points().fold(0.0, |most: f64, (_, cost)| most.max(*cost));
    let (least_rows, most_rows) =
        points().fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), (rows, _)| (least.min(*rows), most.max(*rows)));

    let canvas = SVGBackend::new(path, (760, 400)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&canvas)
        .caption(caption, ("sans-serif", 18))
        .margin(16)
        .x_label_area_size(44)
        .y_label_area_size(60)
        .build_cartesian_2d((least_rows..most_rows).log_scale(), 0.0..most_cost * 1.35)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("recordings in the table")
        .y_desc("µs a record")
        .x_label_formatter(&|rows| thousands(*rows))
        .y_label_formatter(&|cost| format!("{cost:.0}"))
        .label_style(("sans-serif", 13))
        .draw()?;
    for (Curve { name, points }, color) in curves.iter().zip(COLORS) {
        chart
            .draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(2)))?
            .label(*name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
        chart.draw_series(points.iter().map(|point| Circle::new(*point, 3, color.filled())))?;
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
