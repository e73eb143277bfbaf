//! What the grammar makes of single lines: how operators bind, and what is refused where and with which words.

use super::super::ast::{BinaryOp, Expr, ExprKind, FlowBody, Program, StmtKind, UnaryOp};
use super::{parse, parse_expression};

/// An expression with every operator in parentheses.
fn bound(expr: &Expr) -> String {
    let all = |parts: &[Expr]| parts.iter().map(bound).collect::<Vec<_>>().join(" ");
    match &expr.kind {
        ExprKind::Null => "null".into(),
        ExprKind::Bool(value) => value.to_string(),
        ExprKind::Number(digits) => digits.to_string(),
        ExprKind::Text(text) => format!("'{text}'"),
        ExprKind::Name { root, attrs } => {
            attrs.iter().fold(root.to_string(), |path, attr| path + "." + &attr.text)
        }
        ExprKind::State(path) => path.iter().fold("state".to_owned(), |path, attr| path + "." + &attr.text),
        ExprKind::Unary(op, operand) => {
            let sign = match op {
                UnaryOp::Plus => "+",
                UnaryOp::Minus => "-",
                UnaryOp::Not => "not ",
            };
            format!("({sign}{})", bound(operand))
        }
        ExprKind::Binary(op, left, right) => format!("({} {} {})", bound(left), op.sign(), bound(right)),
        ExprKind::Between { value, low, high, strict } => {
            format!(
                "({} between{} {} {})",
                bound(value),
                if *strict { "!" } else { "" },
                bound(low),
                bound(high)
            )
        }
        ExprKind::OneOf(value, choices) => format!("({} one of {})", bound(value), all(choices)),
        ExprKind::Index(base, index) => format!("{}[{}]", bound(base), bound(index)),
        ExprKind::Attr(base, name) => format!("{}.{}", bound(base), name.text),
        ExprKind::List(items) => format!("[{}]", all(items)),
        ExprKind::Collection(op, operands) => format!("<{op:?} {}>", all(operands)),
        ExprKind::Aggregate(op, operand) => format!("{}({})", op.name(), bound(operand)),
        other => format!("{other:?}"),
    }
}

fn binds(source: &str) -> String {
    bound(&parse_expression(source).unwrap_or_else(|fault| panic!("{source}: {fault}")))
}

/// A flow with `body`, whose first line is line 3 of the program.
fn flow(body: &str) -> String {
    let body: String = body.lines().map(|line| format!("  {line}\n")).collect();
    format!("spec is \"1.0\"\nflow \"main\":\n{body}")
}

fn read(source: &str) -> Program {
    parse(source).unwrap_or_else(|faults| panic!("{source}\n{faults:?}"))
}

#[track_caller]
fn refused(source: &str, line: u32, words: &str) {
    let faults = parse(source).expect_err(source);
    let fault = &faults[0];
    assert!(fault.message().contains(words), "{source}\n{fault}");
    assert_eq!(fault.span.map(|span| span.line), Some(line), "{source}\n{fault}");
    assert_eq!(faults.len(), 1, "{source}\n{faults:?}");
}

#[test]
fn operators_bind_as_in_arithmetic_and_logic() {
    assert_eq!(binds("1 + 2 * 3 - 4 / 5 % 6"), "((1 + (2 * 3)) - ((4 / 5) % 6))");
    assert_eq!(binds("-2 ** 2"), "(-(2 ** 2))");
    assert_eq!(binds("2 ** -3 ** 2"), "(2 ** (-(3 ** 2)))");
    assert_eq!(binds("2 ** 3 ** 2"), "(2 ** (3 ** 2))");
    assert_eq!(binds("- - 1 * +2"), "((-(-1)) * (+2))");
    assert_eq!(binds("a or b and not c is d + 1"), "(a or (b and (not (c is (d + 1)))))");
    assert_eq!(binds("not not true and false"), "((not (not true)) and false)");
    assert_eq!(binds("1 + 2 is 3 or false"), "(((1 + 2) is 3) or false)");
    assert_eq!(
        binds("(true or false) and x[1 + 1].cells[0].name"),
        "((true or false) and x[(1 + 1)].cells[0].name)"
    );
    assert_eq!(binds("state.xs[1] + input.n"), "(state.xs[1] + input.n)");
}

#[test]
fn comparisons_are_told_apart_behind_is() {
    for (source, expected) in [
        ("a is b", "(a is b)"),
        ("a is equal to b", "(a is b)"),
        ("a is equal b", "(a is b)"),
        ("a is not b", "(a is not b)"),
        ("a is not equal to b", "(a is not b)"),
        ("a is greater than b", "(a is greater than b)"),
        ("a is less than b + 1", "(a is less than (b + 1))"),
        ("a is at least b", "(a is at least b)"),
        ("a is at most b", "(a is at most b)"),
        ("a is between 1 and b * 2 and c", "((a between 1 (b * 2)) and c)"),
        ("a is strictly between 1 and 2", "(a between! 1 2)"),
        ("a is one of [1, \"x\", true]", "(a one of 1 'x' true)"),
        ("a is one of \"x\", \"y\" or b", "((a one of 'x' 'y') or b)"),
    ] {
        assert_eq!(binds(source), expected, "{source}");
    }
}

#[test]
fn operations_in_words_take_all_that_follows() {
    assert_eq!(binds("list length of xs is 2"), "<ListLength (xs is 2)>");
    assert_eq!(binds("map set m key \"c\" + \"c\" value 3"), "<MapSet m ('c' + 'c') 3>");
    assert_eq!(binds("(list length of xs) is 2"), "(<ListLength xs> is 2)");
    assert_eq!(binds("list get ys at n - 2"), "<ListGet ys (n - 2)>");
    assert_eq!(binds("sum(xs) + max(list: 1, 2,)"), "(sum(xs) + max([1 2]))");
    assert_eq!(binds("list length of list:"), "<ListLength []>");
}

#[test]
fn words_of_operations_may_be_names() {
    assert_eq!(binds("list + map + keys + get + value"), "((((list + map) + keys) + get) + value)");
    assert_eq!(binds("list: value, key, get"), "[value key get]");
    assert_eq!(binds("`page` + m.title.`x`"), "(page + m.title.x)");
    let program = read(&flow("let keys is 1\nreturn map keys with item as k:\n  k"));
    let FlowBody::Statements(body) = &program.flows[0].body else {
        panic!("a flow with a colon has statements")
    };
    assert!(matches!(&body[1].kind, StmtKind::Return(Expr { kind: ExprKind::Each { .. }, .. })));
}

#[test]
fn a_place_is_the_operator_the_is_or_the_first_word() {
    let column = |source: &str| parse_expression(source).expect("an expression").span.column;
    assert_eq!(column("n + 2 * 3"), 3);
    assert_eq!(column("total is 3"), 7);
    assert_eq!(column("not a"), 1);
    assert_eq!(column("a.b.c"), 1);
    assert_eq!(column("xs[4]"), 3);
}

#[test]
fn sugar_is_one_statement_per_line() {
    let source = flow(
        "let:\n  a is 1, b is 2\n  c is 3 constant\ncalc:\n  d = 4\n  state.x.y = 5\nset state.o with:\n  f.g is 1\n  title is 2",
    );
    let program = read(&source);
    let FlowBody::Statements(body) = &program.flows[0].body else {
        panic!("a flow with a colon has statements")
    };
    let kinds: Vec<_> = body.iter().map(super::super::ast::Stmt::kind_name).collect();
    assert_eq!(kinds, ["let", "let", "let", "let", "set", "set", "set"]);
    assert_eq!(body[6].span.line, 11);
}

#[test]
fn two_statements_on_one_line_are_two() {
    let program = read(&flow("let a is 1 let b is 2"));
    let FlowBody::Statements(body) = &program.flows[0].body else {
        panic!("a flow with a colon has statements")
    };
    assert_eq!(body.len(), 2);
    refused(&flow("let a is 2e3"), 3, "Unexpected token 'IDENT' in statement");
}

#[test]
fn statements_are_refused_with_the_words_of_the_reference() {
    for (body, line, words) in [
        ("let a = 5", 3, "Expected 'is' in declaration"),
        ("let page is 5", 3, "Identifier 'page' is reserved."),
        ("let qa is 5", 3, "Identifier 'qa' is reserved."),
        ("let:\n  a is 1\n  a is 2", 5, "Duplicate let name 'a'."),
        ("let r is 1 + call function \"f\":\n  n is 1", 3, "Expected tool name"),
        ("let r is sum(list: 1, 2)", 3, "Expected tool name"),
        ("let r is a + list: 1", 3, "Expected tool name"),
        ("let r is call function \"f\":\n  n is 1\n  n is 2", 5, "Duplicate function argument 'n'"),
        ("calc:\n  a = 1\n  a = 2", 5, "Duplicate calc name 'a'."),
        ("calc:\n  a = list: 1, 2", 4, "Calc lines cannot contain commas."),
        ("calc:\n  a = 1, b = 2", 4, "Calc lines cannot contain commas."),
        ("calc:\n  a.b = 1", 4, "Calc assignments may only target local names or state paths."),
        ("if true:\nreturn 1", 4, "Expected an indented block after 'if'."),
        ("if true: return 1", 3, "Expected newline after condition"),
        ("try: return 1", 3, "Expected newline before block"),
        ("repeat up to 2 times:\nreturn 1", 4, "Expected indented block"),
        ("try:\n  return 1", 4, "Expected 'with' introducing catch"),
        ("set x to 1", 3, "Expected 'is' in assignment"),
        ("return 1 is between 2", 3, "Expected 'and' after between lower bound"),
        ("return 1 is between", 3, "Between comparison is missing the lower bound."),
        ("return 1 is one of x", 3, "One-of list contains a non-literal value."),
        ("parallel:\n  let a is 1\n  merge:\n    policy is \"best\"", 6, "Unknown merge policy 'best'."),
        ("parallel:\n  let a is 1\n  merge:\n    rule is \"x\"", 6, "Unknown merge field 'rule'."),
        ("log loud \"x\"", 3, "Unknown log level 'loud'."),
        ("if true:\n  return 1\nelse if false:\n  return 2", 5, "Expected ':' after else"),
        (
            "match 1:\n  with:\n    otherwise:\n      return 1\n    when 1:\n      return 2",
            7,
            "Unreachable case after otherwise",
        ),
        (
            "match 1:\n  with:\n    when 1 + 2:\n      return 1",
            5,
            "Match patterns must be literal or identifier",
        ),
        (
            "match 1:\n  with:\n    when input.kind:\n      return 1",
            5,
            "Match patterns must be literal or identifier",
        ),
        ("let m is map:\nreturn m", 4, "Expected indented map entries"),
        ("let m is map:\n  text is 1", 4, "Identifier 'text' is reserved."),
        ("return 1 is at 2", 3, "Incomplete comparison after 'is at'."),
        ("return 1 is not greater than 2", 3, "Unexpected expression at token 'GREATER'"),
        ("return state", 3, "Expected state path after 'state'"),
        ("repeat while true limit 0:\n  return 1", 3, "Loop limit must be greater than zero"),
        ("repeat while true limit x:\n  return 1", 3, "Expected loop limit number"),
        ("repeat while true limit 1.5:\n  return 1", 3, "Loop limit must be an integer"),
        ("set state.a with:\n  b is 1\n  b is 2", 5, "Duplicate field 'b' in set block."),
        ("return max(a, b)", 3, "max accepts a single list expression."),
        ("return has_role()", 3, "has_role expects 1 arguments."),
        ("return 1 )", 3, "Unexpected token 'RPAREN' in statement"),
        ("compute hash x", 3, "Statement 'compute' is not supported"),
        ("ask ai \"p\" with image input: x as r", 3, "AI image input is not supported"),
        ("return secret(\"x\")", 3, "'secret()' is not supported"),
        ("let x is call pipeline \"p\":\n  a is 1", 3, "'call pipeline' is not supported"),
    ] {
        refused(&flow(body), line, words);
    }
}

#[test]
fn text_that_is_no_token_is_refused_where_it_stands() {
    for (body, line, words) in [
        ("let a is \"x\\z\"", 3, "Unsupported escape sequence '\\z'."),
        ("let a is \"x", 3, "Unterminated string literal"),
        ("let a is 1\nlet b is \"\"\"x\ny", 4, "Unterminated triple-quoted string literal"),
        ("let a is 5 ^ 2", 3, "Unsupported character '^' in namel3ss source."),
        ("let a is 5 ;", 3, "Unsupported character ';' in namel3ss source."),
        ("if true:\n    let a is 1\n  let b is 2", 5, "Inconsistent indentation"),
    ] {
        refused(&flow(body), line, words);
    }
}

#[test]
fn declarations_are_refused_with_the_words_of_the_reference() {
    for (source, line, words) in [
        ("ai \"b\":\n  provider is \"mock\"", 2, "AI declaration requires a model"),
        ("ai \"b\":\n  model is \"m\"\n  colour is \"red\"", 4, "Unknown field in AI declaration"),
        ("record \"R\":\n  a is blob", 3, "Unsupported field type 'blob' in record 'R'"),
        ("record \"R\":\n  a is text\n  a is text", 4, "Record declares field 'a' more than once."),
        (
            "route \"r\":\n  path is \"/\"\n  method is \"GET\"\n  response:\n    a is text\n  flow is \"f\"",
            2,
            "Route is missing a request block",
        ),
        ("contract flow \"f\":\n  input:\n    a is text", 2, "Contract output block is required"),
        ("tool \"t\":\n  input:\n    a is text", 2, "Tool \"t\" is missing implementation."),
        (
            "tool \"t\":\n  implemented using python\n  output:\n    a is text",
            2,
            "is missing an input section.",
        ),
        ("tool \"t\":\n  kind is \"x\"", 3, "Old tool syntax is no longer supported."),
        ("route \"r\":\n  path is \"/\"\n  method is \"FETCH\"", 2, "Unsupported HTTP method 'FETCH'."),
        ("route \"r\":\n  colour is \"red\"", 3, "Unknown route field 'colour'."),
        ("route \"r\":\n  request:\n  path is \"/\"", 4, "Request block has no fields."),
        ("let x is 1", 2, "Unexpected top-level token"),
        ("crud \"R\"", 2, "'crud' is not supported"),
        ("qa \"q\":\n  model is \"m\"", 2, "'qa' is not supported"),
        ("chain \"c\":\n  model is \"m\"", 2, "'chain' is not supported"),
        ("summarise \"s\":\n  model is \"m\"", 2, "AI flow is missing a prompt"),
        ("translate \"t\":\n  model is \"m\"\n  prompt is \"Say it.\"", 2, "is missing source_language"),
        ("flow \"f\"\n  delete \"R\"", 3, "Delete step is missing a where selector."),
        ("flow \"f\"\n  update \"R\"\n    set\n      a is 1", 3, "Update step is missing a where selector."),
        ("use \"other\" as o", 2, "'use' is not supported"),
        ("page \"p\":\n  chart is \"x\"", 3, "Page item 'chart' is not supported"),
        ("spec is \"1.0\"", 2, "Spec is declared more than once."),
        ("flow \"page\":\n  return 1", 2, "Flow name 'page' is reserved."),
        ("define function \"f\":\n  return 1", 2, "Function input block is required"),
    ] {
        refused(&format!("spec is \"1.0\"\n{source}\n"), line, words);
    }
}

#[test]
fn independent_faults_are_all_reported_in_order() {
    let source = flow(
        "let a = 1\nlet b is 2\nif b:\n  let page is 1\n  set `page` is page\n  return 3 4\nlet c is \"x\\q\"\nmatch b:\n  with:\n    when 1:\n      let d = 1\n    when 2 + 2:\n      return 1\nreturn b",
    );
    let lines: Vec<u32> = parse(&source)
        .expect_err("many")
        .iter()
        .filter_map(|fault| fault.span.map(|span| span.line))
        .collect();
    assert_eq!(lines, [3, 6, 8, 9, 13, 14]);
}

#[test]
fn binary_signs_are_what_messages_call_them() {
    assert_eq!(BinaryOp::AtLeast.sign(), "is at least");
    assert_eq!(BinaryOp::Power.sign(), "**");
}

#[test]
fn a_mistyped_keyword_is_recognised() {
    let faults = parse(&flow("retrun 1")).expect_err("no such statement");
    assert!(faults[0].message().contains("Did you mean 'return'?"), "{}", faults[0]);
}

#[test]
fn line_ends_of_other_systems_and_a_byte_order_mark_do_not_count() {
    let source = flow("let a is \"\"\"x\ny\"\"\"\n# note\n\nif true:\n  return a");
    let other = format!("\u{feff}{}", source.replace('\n', "\r\n"));
    assert_eq!(read(&other), read(&source));
}
