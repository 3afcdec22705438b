//! The pictures in the documents are those that the commands there make.

use crate::sandbox::Sandbox;
use std::fs;
use std::path::Path;

#[test]
fn the_documents_pictures_are_what_their_commands_draw() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("docs/mapper.md")).unwrap();
    let section = text.split("## In pictures").nth(1).unwrap().split("\n## ").next().unwrap();
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path().join("docs/pictures")).unwrap();
    let mut drawn = 0;
    for command in section.lines().filter_map(|line| line.strip_prefix("mapper ")) {
        sandbox.run(command);
        let Some(picture) = command.split_whitespace().find(|word| word.ends_with(".svg")) else { continue };
        let committed = fs::read_to_string(root.join(picture)).unwrap();
        assert!(section.contains(&format!("]({})", picture.trim_start_matches("docs/"))), "{picture} is not shown");
        assert!(
            sandbox.read(picture) == committed,
            "{picture} is not what `mapper {command}` draws: run it in the root folder"
        );
        drawn += 1;
    }
    assert_eq!(drawn, section.matches("](pictures/").count());
    assert!(drawn >= 4, "{drawn}");
}
