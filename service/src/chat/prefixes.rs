//! How commands are written on a forge, so that whoever is told one can copy it.

use cutover_deploy::config::ForgeKind;

/// Words that GitLab takes for its own after `/` in any comment, and removes before anybody else hears them.
const TAKEN_BY_GITLAB: [&str; 3] = ["lock", "unlock", "status"];

/// What lines in comments must begin with to be commands, on one forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prefixes {
    pub(super) forge: ForgeKind,
    pub(super) all: Vec<String>,
}

impl Prefixes {
    /// These, on this forge.
    pub fn new(forge: ForgeKind, all: Vec<String>) -> Self {
        Self { forge, all }
    }

    /// What is usual: `/`; on GitLab `.` too, which it leaves alone.
    pub fn usual(forge: ForgeKind) -> Self {
        let all: &[&str] = match forge {
            ForgeKind::GitHub => &["/"],
            ForgeKind::GitLab => &["/", "."],
        };
        let all = all.iter().map(|&prefix| prefix.to_owned()).collect();
        Self { forge, all }
    }

    /// A command in the first form that works here, as code.
    pub(crate) fn spelled(&self, command: &str) -> String {
        let free = self.all.iter().find(|prefix| !self.taken(prefix, command));
        let prefix = free.or(self.all.first());
        let prefix = prefix.map_or("/", String::as_str);
        format!("`{}`", self.written(prefix, command))
    }

    /// A command with this prefix, or the nearest to it that works here. As a word behind `deploy` every verb does.
    pub(super) fn written(&self, prefix: &str, command: &str) -> String {
        let by = if self.taken(prefix, command) {
            "deploy "
        } else {
            ""
        };
        format!("{prefix}{by}{command}")
    }

    fn taken(&self, prefix: &str, command: &str) -> bool {
        let verb = command.split(' ').next().unwrap_or_default();
        self.forge == ForgeKind::GitLab && prefix == "/" && TAKEN_BY_GITLAB.contains(&verb)
    }
}

#[cfg(test)]
mod tests {
    use cutover_deploy::{AppName, EnvironmentName};
    use insta::assert_snapshot;

    use super::super::{Ask, Place, read};
    use super::*;

    fn spelled(prefixes: &Prefixes) -> String {
        let commands = ["unlock production --force", "status", "rollback production"];
        commands.map(|command| prefixes.spelled(command)).join(" ")
    }

    fn of(forge: ForgeKind, all: &[&str]) -> Prefixes {
        Prefixes::new(forge, all.iter().map(|&prefix| prefix.to_owned()).collect())
    }

    #[test]
    fn a_command_is_spelled_in_the_first_form_that_works() {
        let (github, gitlab) = (ForgeKind::GitHub, ForgeKind::GitLab);
        let told = [
            spelled(&Prefixes::usual(github)),
            spelled(&Prefixes::usual(gitlab)),
            spelled(&of(gitlab, &["/"])),
            spelled(&of(gitlab, &["/", "@cutover "])),
            spelled(&of(gitlab, &["."])),
            spelled(&of(github, &["@cutover "])),
        ];
        assert_snapshot!(told.join("\n"), @"
        `/unlock production --force` `/status` `/rollback production`
        `.unlock production --force` `.status` `/rollback production`
        `/deploy unlock production --force` `/deploy status` `/rollback production`
        `@cutover unlock production --force` `@cutover status` `/rollback production`
        `.unlock production --force` `.status` `.rollback production`
        `@cutover unlock production --force` `@cutover status` `@cutover rollback production`
        ");
    }

    /// What is answered to each line on GitLab: the mistake, or that there is none.
    fn hints(prefixes: &Prefixes, lines: &[&str]) -> String {
        let places = ["production", "staging"].map(|name| Place {
            app: AppName::parse("shop").unwrap(),
            environment: EnvironmentName::parse(name).unwrap(),
        });
        let hint = |line: &&str| {
            let asked = read(line, prefixes, &places).remove(0);
            let help = match asked.ask {
                Ask::Mistake { refusal } => refusal.help.unwrap_or_default(),
                _ => "understood".to_owned(),
            };
            format!("{line}: {help}")
        };
        lines.iter().map(hint).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn hints_on_gitlab_keep_the_prefix_where_it_works() {
        let all = of(ForgeKind::GitLab, &["/", ".", "@cutover "]);
        let lines = [
            ".lock production",
            "/deploy lock production --for 2h",
            "/deploy unlock production",
            "@cutover lock staging",
            "/deploy lock",
            ".lock",
            "@cutover unlock",
            "/lokc production",
            ".lokc production",
            "/deploy lock --info one two",
        ];
        assert_snapshot!(hints(&all, &lines), @"
        .lock production: understood
        /deploy lock production --for 2h: understood
        /deploy unlock production: understood
        @cutover lock staging: understood
        /deploy lock: Write `/deploy lock <environment> [--for 2h] [--reason …]`.
        .lock: Write `.lock <environment> [--for 2h] [--reason …]`.
        @cutover unlock: Write `@cutover unlock <environment>`.
        /lokc production: Did you mean `/deploy lock`?
        .lokc production: Did you mean `.lock`?
        /deploy lock --info one two: Write `/deploy status [environment]`.
        ");
    }
}
