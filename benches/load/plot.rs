//! Owns the pictures: bars for rates, lines for curves, as SVG.
//!
//! Must not change a figure; what is drawn is what the report holds.

use std::path::Path;

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;

use crate::report::{Curve, Report, Row};
use crate::servers::Outcome;

const SIZE: (u32, u32) = (760, 380);
const COLOURS: [RGBColor; 5] = [
    RGBColor(140, 140, 140),
    RGBColor(221, 132, 82),
    RGBColor(31, 119, 180),
    RGBColor(85, 168, 104),
    RGBColor(196, 78, 82),
];

/// Draws every picture the report has figures for into `folder`; returns the files.
///
/// # Errors
/// When a file cannot be written.
pub(crate) fn draw(report: &Report, folder: &Path) -> Outcome<Vec<std::path::PathBuf>> {
    std::fs::create_dir_all(folder)?;
    let mut files = Vec::new();
    let saturated: Vec<&Row> = report
        .rows
        .iter()
        .filter(|row| ["hit", "miss", "peers, 64 connections"].contains(&row.scenario.as_str()))
        .collect();
    if !saturated.is_empty() {
        let file = folder.join("load-rates.svg");
        bars(&file, &saturated)?;
        files.push(file);
    }
    for curve in &report.curves {
        let file =
            folder.join(format!("curve-{}.svg", curve.name.replace([' ', ','], "-").replace("--", "-")));
        lines(&file, curve)?;
        files.push(file);
    }
    Ok(files)
}

/// Requests per second of each server, one bar a row, on a logarithmic scale when they differ a hundredfold.
fn bars(file: &Path, rows: &[&Row]) -> Outcome<()> {
    let height = 60 + 26 * u32::try_from(rows.len())?;
    let canvas = SVGBackend::new(file, (SIZE.0, height)).into_drawing_area();
    canvas.fill(&WHITE)?;
    let most = rows.iter().map(|row| row.per_second).fold(1.0, f64::max);
    let least = rows.iter().map(|row| row.per_second).fold(most, f64::min).max(1.0);
    let logarithmic = most / least > 100.0;
    let title = if logarithmic { "requests per second, logarithmic scale" } else { "requests per second" };
    canvas.draw(&Text::new(title, (10, 10), ("sans-serif", 16)))?;
    for (index, row) in rows.iter().enumerate() {
        let share = if logarithmic {
            (row.per_second.max(1.0).log10() / most.log10()).clamp(0.0, 1.0)
        } else {
            row.per_second / most
        };
        let top = 40 + 26 * i32::try_from(index)?;
        let right = 330 + (share * 340.0) as i32;
        let colour = if row.server.starts_with("tidegate") { COLOURS[2] } else { COLOURS[0] };
        canvas.draw(&Rectangle::new([(330, top), (right, top + 18)], colour.filled()))?;
        canvas.draw(&Text::new(
            format!("{}: {}", row.scenario.replace(", 64 connections", ""), row.server),
            (10, top + 2),
            ("sans-serif", 13),
        ))?;
        canvas.draw(&Text::new(
            format!("{:.0}", row.per_second),
            (right + 6, top + 2),
            ("sans-serif", 13),
        ))?;
    }
    canvas.present()?;
    Ok(())
}

/// A curve with a logarithmic x axis, and a logarithmic y axis when its values differ tenfold.
fn lines(file: &Path, curve: &Curve) -> Outcome<()> {
    let points = || curve.lines.iter().flat_map(|line| &line.points);
    let x_range =
        points().map(|point| point.0).fold((f64::MAX, 1.0_f64), |(low, high), x| (low.min(x), high.max(x)));
    let y_range = points()
        .map(|point| point.1.max(0.1))
        .fold((f64::MAX, 0.1_f64), |(low, high), y| (low.min(y), high.max(y)));
    let canvas = SVGBackend::new(file, SIZE).into_drawing_area();
    canvas.fill(&WHITE)?;
    let mut builder = ChartBuilder::on(&canvas);
    builder.caption(&curve.name, ("sans-serif", 18)).margin(10).x_label_area_size(40).y_label_area_size(60);
    let x_axis = (x_range.0..x_range.1 * 1.1).log_scale();
    if y_range.1 > y_range.0 * 10.0 {
        let chart = builder.build_cartesian_2d(x_axis, (y_range.0 * 0.8..y_range.1 * 1.3).log_scale())?;
        draw_lines(chart, curve)?;
    } else {
        let chart = builder.build_cartesian_2d(x_axis, 0.0..y_range.1 * 1.15)?;
        draw_lines(chart, curve)?;
    }
    canvas.present()?;
    Ok(())
}

fn draw_lines<'a, X, Y>(
    mut chart: ChartContext<'a, SVGBackend<'a>, Cartesian2d<X, Y>>,
    curve: &Curve,
) -> Outcome<()>
where
    X: Ranged<ValueType = f64> + ValueFormatter<f64>,
    Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
{
    chart.configure_mesh().x_desc(&curve.x).y_desc(&curve.y).light_line_style(WHITE).draw()?;
    for (index, line) in curve.lines.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let series = LineSeries::new(line.points.iter().copied(), colour.stroke_width(2)).point_size(3);
        chart
            .draw_series(series)?
            .label(&line.label)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK.mix(0.3)).draw()?;
    Ok(())
}
