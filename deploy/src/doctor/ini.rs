//! What a supervisor is configured with, as far as its files tell.

use std::collections::BTreeMap;

/// The sections of a supervisor's files, all together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ini {
    /// Its process.
    pub pid: u32,
    /// Its main file.
    pub file: String,
    sections: BTreeMap<String, BTreeMap<String, String>>,
    section: String,
    key: String,
}

/// A program that it runs.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Program<'a>(&'a BTreeMap<String, String>);

impl Ini {
    /// The one of `PID FILE`, of which nothing is known yet.
    pub(super) fn at(text: &str) -> Self {
        let (pid, file) = text.split_once(' ').unwrap_or((text, ""));
        Self {
            pid: pid.parse().unwrap_or(0),
            file: file.to_owned(),
            ..Self::default()
        }
    }

    /// Takes in a line of its files.
    pub(super) fn hear(&mut self, line: &str) {
        let bare = line.split(" ;").next().unwrap_or_default();
        let text = bare.trim();
        if text.is_empty() || text.starts_with([';', '#']) {
            return;
        }
        if let Some(name) = text.strip_prefix('[') {
            name.trim_end_matches(']').clone_into(&mut self.section);
            self.key.clear();
            self.sections.entry(self.section.clone()).or_default();
            return;
        }
        let section = self.sections.entry(self.section.clone()).or_default();
        if bare.starts_with([' ', '\t']) && !self.key.is_empty() {
            let value = section.entry(self.key.clone()).or_default();
            *value = format!("{value} {text}");
        } else if let Some((key, value)) = text.split_once('=') {
            key.trim().clone_into(&mut self.key);
            section.insert(self.key.clone(), value.trim().to_owned());
        }
    }

    /// The programs of a group: those that it lists, the one of its name, or those of its releases.
    pub(crate) fn programs(&self, group: &str) -> Vec<Program<'_>> {
        let program = |name: &str| self.sections.get(&format!("program:{name}"));
        let listed = self.sections.get(&format!("group:{group}"));
        let names = listed.and_then(|group| group.get("programs"));
        let names = names.map_or(group, String::as_str);
        let of_releases = format!("program:{group}@");
        let of_releases = self
            .sections
            .iter()
            .filter_map(|(name, section)| name.starts_with(&of_releases).then_some(section));
        let programs = names.split(',').filter_map(|name| program(name.trim()));
        programs.chain(of_releases).map(Program).collect()
    }

    /// The program that starts a process of a group, by what it gives to `artisan`: the words before are found in `PATH`.
    /// Another app may have the same command, so the group's own goes first, and of several others none. The error is why.
    pub(super) fn program_of(
        &self,
        group: &str,
        words: &[String],
    ) -> Result<Program<'_>, &'static str> {
        let after = |words: &[String]| {
            let artisan = |word: &String| word == "artisan" || word.ends_with("/artisan");
            let at = words.iter().position(artisan)?;
            Some(words[at..].to_vec())
        };
        let wanted = after(words);
        let has = |program: &Program<'_>| wanted.is_some() && after(&program.words()) == wanted;
        let own = self.programs(group);
        if let Some(program) = own.iter().find(|program| has(program)) {
            return Ok(*program);
        }
        let programs = self.sections.iter();
        let programs = programs.filter(|(name, _)| name.starts_with("program:"));
        let programs = programs.map(|(_, section)| Program(section));
        let others: Vec<Program<'_>> = programs.filter(has).collect();
        match (others.as_slice(), own.first()) {
            ([only], _) => Ok(*only),
            ([], Some(own)) => Ok(*own),
            ([], None) => Err("no program has the command"),
            _ => Err("several programs have the command"),
        }
    }
}

impl<'a> Program<'a> {
    /// A value as it is written.
    pub(crate) fn value(self, key: &str) -> Option<&'a str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether a switch is on.
    pub(crate) fn is_on(self, key: &str) -> Option<bool> {
        let value = self.value(key)?.to_ascii_lowercase();
        Some(matches!(value.as_str(), "true" | "yes" | "on" | "1"))
    }

    /// The words of its command.
    pub(crate) fn words(self) -> Vec<String> {
        let command = self.value("command").unwrap_or_default();
        command
            .split_whitespace()
            .map(|word| word.trim_matches(['"', '\'']).to_owned())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_the_programs_that_it_lists_or_the_one_of_its_name() {
        let mut ini = Ini::at("7 /etc/supervisor/supervisord.conf");
        let text = "[program:a]\ncommand=php x/artisan queue:work\n  --tries=3 ; thrice\nstopwaitsecs = 70\n\
                    ; autorestart=true\nkillasgroup=Yes\n[program:b]\n[group:both]\nprograms=a, b";
        text.lines().for_each(|line| ini.hear(line));
        assert_eq!(
            (ini.pid, ini.programs("both").len(), ini.programs("c").len()),
            (7, 2, 0)
        );
        let program = ini.programs("a")[0];
        assert_eq!(program.words().last().unwrap(), "--tries=3");
        assert_eq!(program.value("stopwaitsecs"), Some("70"));
        assert_eq!(
            (program.value("autorestart"), program.is_on("killasgroup")),
            (None, Some(true))
        );
    }
}
