//! `mpicc`, and `mpicxx` by that name: the system's compiler with what a program of this library needs.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const HELP: &str = "\
Compiles and links MPI programs: runs the system's compiler with the paths and libraries of this MPI.

Usage: mpicc [ARGUMENTS OF THE COMPILER]      (mpicxx, mpic++, mpiCC for C++)

  -show, --showme      Prints the command line that would run
  --showme:compile     Prints what is added for compiling
  --showme:link        Prints what is added for linking
  --showme:incdirs, --showme:libdirs, --showme:libs
                       Prints the folders of headers, of libraries, and the libraries' names
  -cc=COMPILER, -cxx=COMPILER
                       Uses another compiler; so do MPICC_CC and MPICXX_CXX, MPICH_CC and MPICH_CXX,
                       OMPI_CC and OMPI_CXX in the environment
";

/// Where the header and the library are.
struct Layout {
    include: PathBuf,
    library: PathBuf,
}

fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let name = arguments.next().unwrap_or_default();
    match run(&name, arguments.collect()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{}: {text}", Path::new(&name).file_name().unwrap_or(OsStr::new("mpicc")).display());
            ExitCode::FAILURE
        }
    }
}

fn run(name: &OsStr, mut arguments: Vec<OsString>) -> Result<(), String> {
    let cxx = is_cxx(name);
    let layout = layout()?;
    let compile = vec![prefixed("-I", &layout.include)];
    let link = vec![
        prefixed("-L", &layout.library),
        prefixed("-Wl,-rpath,", &layout.library),
        // An rpath that LD_LIBRARY_PATH can override, as programs are run with other libraries of the same ABI.
        "-Wl,--enable-new-dtags".into(),
        "-lmpi_abi".into(),
    ];
    let compiler = compiler(cxx, &mut arguments);
    if let Some(shown) = arguments.iter().find_map(|argument| show(argument, &layout, &compile, &link)) {
        println!("{shown}");
        return Ok(());
    }
    if arguments.iter().any(|argument| argument == "--help") {
        print!("{HELP}");
        return Ok(());
    }
    let before = arguments.len();
    arguments.retain(|argument| argument != "-show" && argument != "--showme");
    let only_shown = arguments.len() < before;
    let mut command: Vec<OsString> = vec![compiler];
    command.extend(compile);
    let links = !arguments
        .iter()
        .any(|argument| ["-c", "-E", "-S", "-M", "-MM", "-fsyntax-only"].iter().any(|stop| argument == stop));
    let has_input = arguments.iter().any(|argument| !argument.to_string_lossy().starts_with('-'));
    command.extend(arguments);
    if links && has_input {
        command.extend(link);
    }
    if only_shown {
        println!("{}", joined(&command));
        return Ok(());
    }
    let error = Command::new(&command[0]).args(&command[1..]).exec();
    Err(format!("{}: {error}; MPICC_CC names another compiler", command[0].display()))
}

fn is_cxx(name: &OsStr) -> bool {
    let name = Path::new(name).file_name().unwrap_or_default().to_string_lossy().into_owned();
    ["mpicxx", "mpic++", "mpiCC"].iter().any(|cxx| name.starts_with(cxx))
}

fn prefixed(option: &str, path: &Path) -> OsString {
    let mut text = OsString::from(option);
    text.push(path);
    text
}

/// The compiler: from the command line, the environment, or the system's.
fn compiler(cxx: bool, arguments: &mut Vec<OsString>) -> OsString {
    let (option, variables, own) = match cxx {
        true => ("-cxx=", ["MPICXX_CXX", "MPICH_CXX", "OMPI_CXX"], "c++"),
        false => ("-cc=", ["MPICC_CC", "MPICH_CC", "OMPI_CC"], "cc"),
    };
    let named = arguments.iter().position(|argument| argument.to_string_lossy().starts_with(option));
    let named = named.map(|index| arguments.remove(index).to_string_lossy()[option.len()..].into());
    named.or_else(|| variables.iter().find_map(env::var_os)).unwrap_or_else(|| own.into())
}

fn show(argument: &OsStr, layout: &Layout, compile: &[OsString], link: &[OsString]) -> Option<String> {
    match argument.to_str()? {
        "--showme:compile" | "-compile_info" | "-compile-info" => Some(joined(compile)),
        "--showme:link" | "-link_info" | "-link-info" => Some(joined(link)),
        "--showme:incdirs" => Some(layout.include.display().to_string()),
        "--showme:libdirs" => Some(layout.library.display().to_string()),
        "--showme:libs" => Some("mpi_abi".to_owned()),
        "--showme:version" | "--version-mpi" => Some(format!("mpicc (Twowire) {}", env!("CARGO_PKG_VERSION"))),
        _ => None,
    }
}

fn joined(words: &[OsString]) -> String {
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Installed: `bin`, `include` and `lib` side by side. Built: all in cargo's folder, and the header in the sources.
fn layout() -> Result<Layout, String> {
    let program = env::current_exe().map_err(|error| format!("where this program is: {error}"))?;
    let folder = program.parent().unwrap_or(Path::new("/"));
    if let Some(prefix) = folder.parent() {
        let installed = Layout { include: prefix.join("include"), library: prefix.join("lib") };
        if installed.include.join("mpi.h").exists() && installed.library.join("libmpi_abi.so").exists() {
            return Ok(installed);
        }
    }
    let built = Layout { include: Path::new(env!("CARGO_MANIFEST_DIR")).join("include"), library: folder.to_owned() };
    if !built.library.join("libmpi_abi.so").exists() || !built.include.join("mpi.h").exists() {
        return Err(format!(
            "libmpi_abi.so is neither beside {} nor in ../lib: build it with `cargo build -p twowire-mpi-shim`, or install \
             with `cargo xtask mpi-install`",
            program.display()
        ));
    }
    // Programs look for the library by its soname, which cargo does not give to the file.
    match symlink("libmpi_abi.so", built.library.join("libmpi_abi.so.1")) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
            Err(format!("libmpi_abi.so.1 in {}: {error}", built.library.display()))
        }
        _ => Ok(built),
    }
}
