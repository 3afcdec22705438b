//! Scripts by which shells complete the options of `mpirun`. The options are those that its help names.

use crate::args::HELP;
use std::ffi::OsStr;

/// The script for a shell; an error if that is unknown.
pub(crate) fn script(shell: &OsStr) -> Result<String, String> {
    let options = options(HELP);
    match shell.to_str() {
        Some("bash") => Ok(bash(&options)),
        Some("zsh") => Ok(zsh(&options)),
        Some("fish") => Ok(fish(&options)),
        _ => Err(format!("--completions {}: expected bash, zsh or fish", shell.display())),
    }
}

/// The options that a help text lists: in lines of their own, before their descriptions.
fn options(help: &str) -> Vec<&str> {
    let lines = help.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| line.starts_with('-'));
    let names = lines.flat_map(|line| line.split("  ").next().unwrap_or_default().split(", "));
    names.map(|name| name.split([' ', '=', '[']).next().unwrap_or_default()).collect()
}

fn bash(options: &[&str]) -> String {
    format!(
        "_mpirun() {{\n    local word=${{COMP_WORDS[COMP_CWORD]}}\n    if [[ $word == -* ]]; then\n        \
         COMPREPLY=($(compgen -W \"{}\" -- \"$word\"))\n    else\n        \
         COMPREPLY=($(compgen -c -f -- \"$word\"))\n    fi\n}}\ncomplete -F _mpirun mpirun mpiexec\n",
        options.join(" ")
    )
}

fn zsh(options: &[&str]) -> String {
    format!(
        "#compdef mpirun mpiexec\nif [[ $words[CURRENT] == -* ]]; then\n    compadd -- {}\nelse\n    \
         _alternative 'commands:program:_command_names -e' 'files:file:_files'\nfi\n",
        options.join(" ")
    )
}

fn fish(options: &[&str]) -> String {
    let line = |option: &&str| match option.trim_start_matches('-') {
        name if option.starts_with("--") => format!("complete -c mpirun -l {name}\n"),
        name if name.len() == 1 => format!("complete -c mpirun -s {name}\n"),
        name => format!("complete -c mpirun -o {name}\n"),
    };
    let lines: String = options.iter().map(line).collect();
    format!("{lines}complete -c mpiexec -w mpirun\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::parse;

    #[test]
    fn every_option_of_the_help_is_one() {
        let options = options(HELP);
        assert!(
            ["-n", "-np", "--wdir", "--label", "--report", "--bind-to", "-h"].iter().all(|one| options.contains(one))
        );
        for option in options {
            let outcome = parse([option.into()]);
            let text = outcome.err().unwrap_or_default();
            assert!(!text.contains("unknown option"), "{option}: {text}");
        }
    }

    #[test]
    fn each_shell_has_its_script() {
        let script = |shell: &str| script(OsStr::new(shell)).expect("a script");
        assert!(
            script("bash").contains("complete -F _mpirun mpirun mpiexec") && script("bash").contains(" --stuck-after ")
        );
        assert!(script("zsh").starts_with("#compdef mpirun") && script("zsh").contains(" --report "));
        assert!(script("fish").contains("complete -c mpirun -l json\n") && script("fish").contains("-o genv\n"));
        assert!(super::script(OsStr::new("csh")).is_err_and(|text| text.contains("expected bash, zsh or fish")));
    }
}
