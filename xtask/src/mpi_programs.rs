//! `cargo xtask mpi-programs`: programs that nobody here wrote, built unmodified by our `mpicc` from Debian's sources.
//!
//! Each checks its own results, and says so in what it prints; that is what is looked at here.

mod check;

use crate::mpi_install;
use crate::packages;
use crate::step::{run, succeeds, target_dir};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A job that takes longer has hung.
const LIMIT_SECONDS: &str = "600";

/// A program.
struct Program {
    /// The name of Debian's source package.
    name: &'static str,
    /// What it does, in a line.
    about: &'static str,
    /// Builds it in a folder.
    build: fn(&Path, &Tools) -> Result<(), String>,
    /// Runs what was built there; what it says of its results.
    run: fn(&Path, &Tools) -> Result<String, String>,
}

const PROGRAMS: [Program; 3] = [
    Program {
        name: "hpcc",
        about: "HPL, PTRANS, RandomAccess, FFT, latency and bandwidth",
        build: build_hpcc,
        run: run_hpcc,
    },
    Program {
        name: "netpipe",
        about: "two processes' messages of growing length",
        build: build_netpipe,
        run: run_netpipe,
    },
    Program { name: "hypre", about: "algebraic and structured multigrid", build: build_hypre, run: run_hypre },
];

/// Our compilers and launcher.
struct Tools {
    bin: PathBuf,
}

impl Tools {
    /// `make` in a folder, with these compilers.
    fn make(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut make = Command::new("make");
        make.arg("-s").args(arguments).current_dir(folder).env("PATH", self.path());
        make
    }

    fn path(&self) -> String {
        format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap_or_default())
    }

    /// A job's output; it must end well.
    fn job(&self, ranks: u32, folder: &Path, program: &[&str]) -> Result<String, String> {
        let mut job = Command::new(self.bin.join("mpirun"));
        job.args(["-n", &ranks.to_string(), "--timeout", LIMIT_SECONDS]).args(program).current_dir(folder);
        // A thread for each rank is enough.
        job.env("OPENBLAS_NUM_THREADS", "1").stdin(Stdio::null());
        let shown = format!("mpirun -n {ranks} {}", program.join(" "));
        eprintln!("$ {shown}");
        let output = job.output().map_err(|error| format!("mpirun: {error}"))?;
        let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
        if output.status.success() { Ok(text) } else { Err(format!("`{shown}`: {}\n{text}", output.status)) }
    }
}

/// Builds and runs all programs, or `only` these, with sources from a folder or from Debian.
pub(crate) fn test(only: &[String], source: Option<&Path>) -> Result<(), String> {
    if let Some(unknown) = only.iter().find(|name| PROGRAMS.iter().all(|program| program.name != **name)) {
        let names = PROGRAMS.map(|program| program.name).join(", ");
        return Err(format!("there is no program {unknown}; there are {names}"));
    }
    let work = target_dir().join("mpi-programs");
    let prefix = work.join("prefix");
    mpi_install::install(&prefix, true)?;
    packages::install_for_programs();
    let tools = Tools { bin: prefix.join("bin") };
    let mut failed = Vec::new();
    for program in PROGRAMS.iter().filter(|program| only.is_empty() || only.iter().any(|name| name == program.name)) {
        match test_one(program, &work, source, &tools) {
            Ok(said) => println!("ok      {} ({}): {said}", program.name, program.about),
            Err(error) => {
                println!("FAILED  {} ({}): {error}", program.name, program.about);
                failed.push(program.name);
            }
        }
    }
    if failed.is_empty() { Ok(()) } else { Err(format!("programs that failed: {}", failed.join(", "))) }
}

fn test_one(program: &Program, work: &Path, source: Option<&Path>, tools: &Tools) -> Result<String, String> {
    let folder = work.join(program.name);
    let done = folder.join("built");
    if !done.exists() {
        let archive = archive(program.name, work, source)?;
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(text)?;
        run(Command::new("tar").args(["--strip-components=1", "-xf"]).arg(&archive).current_dir(&folder))?;
        (program.build)(&folder, tools)?;
        fs::write(&done, "").map_err(text)?;
    }
    (program.run)(&folder, tools)
}

/// The archive of a program's sources: from `source` if it is there, else from where Debian has it.
fn archive(name: &str, work: &Path, source: Option<&Path>) -> Result<PathBuf, String> {
    let kept = work.join("sources");
    fs::create_dir_all(&kept).map_err(text)?;
    for folder in source.into_iter().chain([kept.as_path()]) {
        if let Some(found) = find_archive(name, folder)? {
            return Ok(found);
        }
    }
    let remedy = format!("put {name}_VERSION.orig.tar.gz into a folder and name it with --source");
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return Err(format!("there is no apt-get to get its sources; {remedy}"));
    }
    download(name, work, &kept).map_err(|error| format!("its sources cannot be had: {error}; {remedy}"))?;
    find_archive(name, &kept)?.ok_or(format!("Debian's sources of it have no archive; {remedy}"))
}

fn find_archive(name: &str, folder: &Path) -> Result<Option<PathBuf>, String> {
    let all = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let is_ours =
        |file: &str| file.starts_with(&format!("{name}_")) && file.contains(".orig.tar.") && !file.ends_with(".asc");
    let mut found: Vec<_> = all.flatten().map(|entry| entry.path()).collect();
    found.retain(|path| path.file_name().is_some_and(|file| is_ours(&file.to_string_lossy())));
    found.sort();
    Ok(found.pop())
}

/// Gets the archive with `apt-get source`, from where this system has its packages, without changing what apt knows.
fn download(name: &str, work: &Path, to: &Path) -> Result<(), String> {
    let (parts, lists) = (work.join("apt"), work.join("apt-lists"));
    fs::create_dir_all(&parts).map_err(text)?;
    fs::create_dir_all(lists.join("partial")).map_err(text)?;
    for entry in fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path()) {
        copy_as_sources(&entry, &parts)?;
    }
    copy_as_sources(Path::new("/etc/apt/sources.list"), &parts)?;
    let apt = |arguments: &[&str]| {
        let mut apt = Command::new("apt-get");
        apt.args(["-q", "-o", "Dir::Etc::sourcelist=/dev/null", "-o"])
            .arg(format!("Dir::Etc::sourceparts={}", parts.display()));
        apt.arg("-o").arg(format!("Dir::State::lists={}", lists.display())).args(arguments).current_dir(to);
        apt
    };
    run(&mut apt(&["update"]))?;
    run(&mut apt(&["source", "--download-only", "--tar-only", name]))
}

/// Copies a list of places of packages as one of places of sources.
fn copy_as_sources(list: &Path, parts: &Path) -> Result<(), String> {
    let name = list.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let Ok(content) = fs::read_to_string(list) else { return Ok(()) };
    let turned = if name.ends_with(".sources") {
        content
            .lines()
            .map(|line| if line.starts_with("Types:") { "Types: deb-src" } else { line })
            .collect::<Vec<_>>()
            .join("\n")
    } else if name.ends_with(".list") {
        content
            .lines()
            .filter_map(|line| Some(format!("deb-src {}", line.strip_prefix("deb ")?)))
            .collect::<Vec<_>>()
            .join("\n")
    } else {
        return Ok(());
    };
    fs::write(parts.join(name), turned + "\n").map_err(text)
}

fn text(error: std::io::Error) -> String {
    error.to_string()
}

fn build_hpcc(folder: &Path, tools: &Tools) -> Result<(), String> {
    // One of the settings that come with it; what stands there of places is given to make instead.
    fs::copy(folder.join("hpl/setup/Make.Linux_PII_CBLAS"), folder.join("hpl/Make.twowire")).map_err(text)?;
    // It calls two functions by the names that they had in MPI-1, which MPI 3.0 removed.
    let renamed = "-DMPI_Address=MPI_Get_address -DMPI_Type_struct=MPI_Type_create_struct";
    let options = format!("HPL_OPTS=-DHPL_CALL_CBLAS {renamed}");
    let settings = ["arch=twowire", "CC=mpicc", "LINKER=mpicc", "MPdir=", "MPinc=", "MPlib=", "LAdir=", "LAinc="];
    let mut make = tools.make(folder, &settings);
    run(make.args(["LAlib=-lopenblas", "CCFLAGS=$(HPL_DEFS) -O2", &options]))
}

fn run_hpcc(folder: &Path, tools: &Tools) -> Result<String, String> {
    fs::copy(folder.join("_hpccinf.txt"), folder.join("hpccinf.txt")).map_err(text)?;
    let _ = fs::remove_file(folder.join("hpccoutf.txt"));
    tools.job(4, folder, &["./hpcc"])?;
    check::hpcc(&fs::read_to_string(folder.join("hpccoutf.txt")).map_err(text)?)
}

fn build_netpipe(folder: &Path, tools: &Tools) -> Result<(), String> {
    run(&mut tools.make(folder, &["mpi", "MPICC=mpicc"]))
}

fn run_netpipe(folder: &Path, tools: &Tools) -> Result<String, String> {
    check::netpipe(&tools.job(2, folder, &["./NPmpi", "-i", "-u", "262144"])?)
}

fn build_hypre(folder: &Path, tools: &Tools) -> Result<(), String> {
    let folder = folder.join("src");
    let mut configure = Command::new("./configure");
    configure.args(["--quiet", "CC=mpicc", "CXX=mpicxx", "--disable-fortran"]).current_dir(&folder);
    run(configure.env("PATH", tools.path()))?;
    run(tools.make(&folder, &[]).stdout(Stdio::null()))?;
    run(tools.make(&folder.join("test"), &["ij", "struct"]).stdout(Stdio::null()))
}

fn run_hypre(folder: &Path, tools: &Tools) -> Result<String, String> {
    let folder = folder.join("src/test");
    let amg = tools.job(4, &folder, &["./ij", "-n", "20", "20", "20", "-P", "2", "2", "1", "-solver", "1"])?;
    let alone = tools.job(1, &folder, &["./struct", "-n", "20", "20", "20", "-solver", "11"])?;
    let shared = tools.job(4, &folder, &["./struct", "-n", "10", "10", "20", "-P", "2", "2", "1", "-solver", "11"])?;
    check::hypre(&amg, &alone, &shared)
}
