//! Writes a program back in one layout: two spaces per level, one blank line between declarations, even spacing.
//!
//! Works on tokens, so it changes white space and nothing else: texts, numbers and comments stay as they were written.
//! Formatting what was formatted changes nothing.

mod layout;
mod spacing;

use super::fault::Fault;
use super::lexer::lex;
use super::parse::parse;

/// `source` in the one layout.
///
/// # Errors
/// The faults of a program that cannot be read; such a program is left alone.
pub fn format(source: &str) -> Result<String, Vec<Fault>> {
    parse(source)?;
    let lexed = lex(source);
    Ok(layout::write(source, &lexed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn formatted(source: &str) -> String {
        format(source).expect("the program can be read")
    }

    #[test]
    fn blocks_are_indented_by_two_and_declarations_stand_apart() {
        let source = "spec   is \"1.0\"\nflow \"main\":\n\n      let x is 1\n      if x is 1:\n           return   x\n\n\n      return 2\n\n\n\nflow \"b\":\n return 1";
        let expected = "spec is \"1.0\"\n\nflow \"main\":\n  let x is 1\n  if x is 1:\n    return x\n\n  return 2\n\nflow \"b\":\n  return 1\n";
        assert_eq!(formatted(source), expected);
    }

    #[test]
    fn comments_stay_with_what_they_speak_of() {
        let source = "# top\nspec is \"1.0\"\n# about the flow\nflow \"main\":   # the only one\n    # first\n    let x is 1\n    if x is 1:\n        return x\n        # end of the branch\n    # end of the flow\n# end of the file";
        let expected = "# top\nspec is \"1.0\"\n\n# about the flow\nflow \"main\":  # the only one\n  # first\n  let x is 1\n  if x is 1:\n    return x\n    # end of the branch\n  # end of the flow\n# end of the file\n";
        assert_eq!(formatted(source), expected);
        assert_eq!(formatted(expected), expected);
    }

    #[test]
    fn signs_are_spaced_by_what_they_do() {
        let source = "spec is \"1.0\"\nflow \"main\":\n  let x is - 2**-y+( 3*4 ) %grid [ i+1 ] . cells [0]\n  let y is x is one of[ 1,2 ]\n  let z is sum (xs)+max( list:1 , 2 )\n";
        let expected = "spec is \"1.0\"\n\nflow \"main\":\n  let x is -2 ** -y + (3 * 4) % grid[i + 1].cells[0]\n  let y is x is one of [1, 2]\n  let z is sum(xs) + max(list: 1, 2)\n";
        let tool_free = source
            .replace("  let z is sum (xs)+max( list:1 , 2 )\n", "  return sum (xs)+max( list:1 , 2 )\n");
        let expected = expected.replace("  let z is sum", "  return sum");
        assert_eq!(formatted(&tool_free), expected);
    }

    #[test]
    fn texts_over_several_lines_stay_as_written() {
        let source = "spec is \"1.0\"\nflow \"main\":\n     let note is \"\"\"a\n  b   # no comment\nc\"\"\"   # one\n     return note\n";
        let expected = "spec is \"1.0\"\n\nflow \"main\":\n  let note is \"\"\"a\n  b   # no comment\nc\"\"\"  # one\n  return note\n";
        assert_eq!(formatted(source), expected);
    }

    #[test]
    fn types_and_braces_read_as_in_the_reference() {
        let source = "spec is \"1.0\"\nrecord \"Tiny\":{name is text,sizes is list < number >must be present,m is map<text,number>|null}\n";
        let expected = "spec is \"1.0\"\n\nrecord \"Tiny\": { name is text, sizes is list<number> must be present, m is map<text, number> | null }\n";
        assert_eq!(formatted(source), expected);
    }

    #[test]
    fn a_program_with_faults_is_left_alone() {
        let faults =
            format("spec is \"1.0\"\nlet x is 1\n").expect_err("a statement at the margin is a fault");
        assert_eq!(faults.len(), 1);
    }
}
