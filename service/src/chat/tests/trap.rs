//! What looks like a command and is none, and the other way round.

use super::super::*;
use super::{all, told, two};

#[test]
fn what_is_no_command_of_ours_gets_no_answer() {
    let silent = [
        "/deployfoo",
        ".deployfoo production",
        "/deploy/production",
        "/deploy: production",
        "/approve",
        "/hold",
        "/hello",
        "/assign @alice",
        "/etc/passwd",
        "...",
        ".gitignore",
        "/ deploy production",
        "please /deploy production",
        "see https://example.com/deploy production",
        "`/deploy production` is how",
        "text `\n/deploy production\n` text",
        "```\n/deploy production\n```",
        "~~~ sh\n/deploy production",
        "    /deploy production",
        "text\n\n\t/deploy production",
        "> /deploy production",
        " > .deploy production",
        "> quoted\n/deploy production",
        "> > deep\n> /deploy production",
        "# /deploy production",
        "/deploy production\n===",
        "/deploy production\n---",
        "<!-- /deploy production -->",
        "<!--\n/deploy production\n-->",
        "<!--\n/deploy production",
        "text <!--\n/deploy production\n--> text",
        "<pre>\n/deploy production\n</pre>",
        "- /deploy production",
        "- item\n  /deploy production",
        "1. item\n\n   /deploy production",
        "| /deploy | production |\n|---|---|\n| /deploy | production |",
        "[text\n/deploy production\n](https://example.com)",
        "\\/deploy production",
        "&#47;deploy production",
        "On Tue, 3 Mar 2026, Alice wrote:\n/deploy production",
        "On Tue, 3 Mar 2026 at 10:00, Alice <alice@example.com>\nwrote:\n\n/deploy production",
        "-----Original Message-----\n/deploy production",
        "[^1]: note\n    /deploy production",
        "@cutoverdeploy production",
        "@cutover",
        "",
        "\u{feff}",
    ];
    for text in silent {
        assert_eq!(told(&read(text, &all(), &two())), "", "{text:?}");
    }
}

#[test]
fn plain_lines_among_other_things_are_read() {
    let cases = [
        (
            "Looks good.\n/deploy main to staging",
            "deploy main to staging\n",
        ),
        (
            "Looks good.\r\n\r\n/deploy main to staging\r\n",
            "deploy main to staging\n",
        ),
        ("/deploy main to staging\n\n\n", "deploy main to staging\n"),
        ("> quoted\n\n/status staging", "status staging\n"),
        (
            "```\ncode\n```\n/status staging\n```\n/help\n```",
            "status staging\n",
        ),
        ("`/deploy main to staging`", "deploy main to staging\n"),
        ("``/status staging``\n", "status staging\n"),
        (
            "/status staging\nOn Tue Alice wrote:\n/help",
            "status staging\n",
        ),
        (
            "/deploy feature_a_b to staging",
            "deploy feature_a_b to staging\n",
        ),
        (
            "/lock staging --reason `queue` is *slow*",
            "lock staging for None because \"`queue` is *slow*\"\n",
        ),
        ("/status staging\n/help", "status staging\nhelp\n"),
        ("🚀 now\n/status staging", "status staging\n"),
    ];
    for (text, wanted) in cases {
        assert_eq!(told(&read(text, &all(), &two())), wanted, "{text:?}");
    }
}

#[test]
fn five_commands_are_read_and_the_sixth_says_so() {
    let asked = read(&"/status staging\n".repeat(9), &all(), &two());
    assert_eq!(asked.len(), 6);
    assert!(
        asked[..5]
            .iter()
            .all(|asked| matches!(asked.ask, Ask::Status { .. }))
    );
    assert!(told(&asked[5..]).starts_with("invalid_command: A comment may hold 5 commands"));
}

#[test]
fn a_comment_as_long_as_forges_allow_is_read_to_its_end_and_soon() {
    let traps = [
        "a ", "*", "[", "<!", "`", "> ", "- ", "\n\n", "&amp;", "_a_ ",
    ];
    let begun = std::time::Instant::now();
    for trap in traps {
        let text = format!("{}\n\n/status staging", trap.repeat(65_000 / trap.len()));
        let asked = told(&read(&text, &all(), &two()));
        assert!(
            ["", "status staging\n"].contains(&asked.as_str()),
            "{trap:?}: {asked}"
        );
    }
    let plain = format!("{}\n\n/status staging", "word ".repeat(13_000));
    assert_eq!(told(&read(&plain, &all(), &two())), "status staging\n");
    // Seconds would mean that somebody can stop the service by a comment.
    assert!(
        begun.elapsed() < std::time::Duration::from_secs(20),
        "{:?}",
        begun.elapsed()
    );
}

#[test]
fn by_default_only_the_slash_is_heard() {
    let slash = Prefixes::usual(ForgeKind::GitHub);
    assert_eq!(read(".status\n@cutover status", &slash, &two()), []);
    assert_eq!(read("/status", &slash, &two()).len(), 1);
}

#[test]
fn text_of_a_person_is_shown_as_code_without_mentions() {
    assert_eq!(code("@team `x`\n#1"), "`@team 'x'#1`");
}
