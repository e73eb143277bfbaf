//! Owns tables of plain text: columns as wide as their widest cell, two spaces between. Knows no colour and no terminal.

use std::fmt;

/// A table that is printed when it is complete.
pub(super) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<String>>,
    right: Vec<bool>,
}

impl Table {
    /// A table with these columns, all flush left.
    pub(super) fn new(head: &[&str]) -> Self {
        let head: Vec<String> = head.iter().map(|name| (*name).to_owned()).collect();
        Self { right: vec![false; head.len()], head, rows: Vec::new() }
    }

    /// Puts these columns flush right: numbers.
    pub(super) fn right(&mut self, names: &[&str]) {
        for (name, right) in self.head.iter().zip(&mut self.right) {
            *right = names.contains(&name.as_str());
        }
    }

    /// Adds a row; what stands in it is kept to one line.
    pub(super) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.iter().map(|cell| cell.replace(char::is_control, " ")).collect());
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |at: usize| lines().filter_map(|line| Some(line.get(at)?.chars().count())).max();
        let widths: Vec<usize> = (0..self.head.len()).map(|at| width(at).unwrap_or(0)).collect();
        for line in lines() {
            let cells = line.iter().zip(&widths).zip(&self.right).map(|((cell, width), right)| match right {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            });
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

/// The beginning of a text, on one line, with dots where something was left out.
pub(super) fn cut(text: &str, chars: usize) -> String {
    let kept: String = text.chars().take(chars).collect();
    if kept.len() == text.len() { kept } else { format!("{kept}...") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_numbers_stand_flush_right() {
        let mut table = Table::new(&["name", "n"]);
        table.right(&["n"]);
        table.row(["a".into(), "1".into()]);
        table.row(["longer".into(), "22".into()]);
        assert_eq!(table.to_string(), "name     n\na        1\nlonger  22\n");
    }

    #[test]
    fn a_cell_stays_on_its_line() {
        let mut table = Table::new(&["x"]);
        table.row(["a\nb\u{1b}[2J".into()]);
        assert_eq!(table.to_string(), "x\na b [2J\n");
        assert_eq!((cut("abcdef", 3).as_str(), cut("abc", 3).as_str()), ("abc...", "abc"));
    }
}
