//! How a medium is named on a command line: `KIND:PLACE`, or a path of which the kind is found out.

use super::block::BlockMedium;
use super::efi::{self, EfiMedium, EfivarFs};
use super::file::FileMedium;
use super::mapped::MappedMedium;
use super::mtd::{MtdDevice, MtdMedium};
use super::nvram::{self, NvramMedium};
use super::{Access, Medium, OpenError};
use std::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// What sort of medium it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file.
    File,
    /// A window of CMOS memory.
    Nvram,
    /// Two EFI variables.
    Efi,
    /// Two erase blocks of flash.
    Mtd,
    /// Two sectors of a block device.
    Block,
    /// The memory of a PCI card.
    Bar,
    /// Mapped bytes of a file or device.
    Mem,
}

/// A medium's name: what `--device` takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    spelling: String,
    kind: Option<Kind>,
    path: PathBuf,
    offset: Option<u64>,
}

/// Text that names no medium.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// Nothing is named.
    #[error("no path is given")]
    Empty,
    /// A kind that does not exist.
    #[error(
        "`{0}:` is no kind of medium: expected file, nvram, efi, mtd, block, bar or mem (a file of this name is `file:{1}`)"
    )]
    Kind(String, String),
    /// An offset where there is none.
    #[error("`@{0}`: {1} has no offset")]
    Offset(u64, &'static str),
}

impl Kind {
    const ALL: [(Kind, &'static str); 7] = [
        (Kind::File, "file"),
        (Kind::Nvram, "nvram"),
        (Kind::Efi, "efi"),
        (Kind::Mtd, "mtd"),
        (Kind::Block, "block"),
        (Kind::Bar, "bar"),
        (Kind::Mem, "mem"),
    ];

    /// The kind's name in front of the colon.
    pub fn name(self) -> &'static str {
        Kind::ALL.iter().find(|(kind, _)| *kind == self).map_or("", |(_, name)| name)
    }
}

impl FromStr for Device {
    type Err = DeviceError;

    fn from_str(spelling: &str) -> Result<Device, DeviceError> {
        let prefix = spelling.split_once(':').filter(|(kind, _)| kind.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let device =
            |kind, path: &str, offset| Ok(Device { spelling: spelling.to_owned(), kind, path: path.into(), offset });
        match prefix {
            None if spelling.is_empty() => Err(DeviceError::Empty),
            None => device(None, spelling, None),
            Some((name, place)) => {
                let kind = Kind::ALL.iter().find(|(_, known)| *known == name).map(|(kind, _)| *kind);
                let kind = kind.ok_or_else(|| DeviceError::Kind(name.to_owned(), spelling.to_owned()))?;
                let (path, offset) = split_offset(kind, place)?;
                if path.is_empty() { Err(DeviceError::Empty) } else { device(Some(kind), path, offset) }
            }
        }
    }
}

/// `PATH@OFFSET`, the offset in decimal or, with `0x`, in hexadecimal.
fn split_offset(kind: Kind, place: &str) -> Result<(&str, Option<u64>), DeviceError> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    };
    match place.rsplit_once('@').and_then(|(path, text)| Some((path, number(text)?))) {
        None => Ok((place, None)),
        Some((_, offset)) if kind == Kind::File => Err(DeviceError::Offset(offset, "a file")),
        Some((_, offset)) if kind == Kind::Efi => Err(DeviceError::Offset(offset, "a variable")),
        Some((path, offset)) => Ok((path, Some(offset))),
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.spelling)
    }
}

/// The device numbers of Linux's misc device `nvram` and of its MTD devices.
const NVRAM_DEVICE: (u32, u32) = (10, 144);
const MTD_MAJOR: u32 = 90;

impl Device {
    /// The path that is named.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What sort of medium it is: the kind that is named, or else what the path looks like.
    pub fn kind(&self) -> Kind {
        self.kind.unwrap_or_else(|| detect(&self.path))
    }

    /// Opens the medium.
    pub fn open(&self, access: Access) -> Result<Box<dyn Medium>, OpenError> {
        let (path, offset) = (self.path.as_path(), self.offset);
        Ok(match self.kind() {
            Kind::File => Box::new(FileMedium::open(path, access)?),
            Kind::Nvram => Box::new(NvramMedium::open(path, offset.unwrap_or(nvram::DEFAULT_OFFSET), access)?),
            Kind::Efi => {
                let (directory, name) = self.variables();
                Box::new(EfiMedium::new(EfivarFs::open(directory, &name, access)?))
            }
            Kind::Mtd => Box::new(MtdMedium::new(MtdDevice::open(path, access)?, offset.unwrap_or(0))?),
            Kind::Block => Box::new(BlockMedium::open(path, offset.unwrap_or(0), access)?),
            Kind::Bar => Box::new(MappedMedium::open_bar(path, offset.unwrap_or(0), access)?),
            Kind::Mem => Box::new(MappedMedium::open(path, offset.unwrap_or(0), access)?),
        })
    }

    /// The directory and the name of the EFI variables: `NAME`, `DIRECTORY/NAME` or the directory itself.
    fn variables(&self) -> (&Path, String) {
        let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match self.path.parent() {
            _ if self.path.is_dir() => (&self.path, efi::DEFAULT_NAME.to_owned()),
            Some(directory) if !directory.as_os_str().is_empty() => (directory, name(&self.path)),
            _ => (Path::new(efi::DIRECTORY), name(&self.path)),
        }
    }
}

/// What a path looks like; a file, if there is nothing yet.
fn detect(path: &Path) -> Kind {
    const EFIVARFS: u64 = 0xde5e_81e4;
    if rustix::fs::statfs(path).is_ok_and(|fs| fs.f_type as u64 == EFIVARFS) {
        return Kind::Efi;
    }
    let Ok(metadata) = fs::metadata(path) else { return Kind::File };
    let number = (rustix::fs::major(metadata.rdev()), rustix::fs::minor(metadata.rdev()));
    let kind = metadata.file_type();
    if kind.is_block_device() {
        Kind::Block
    } else if kind.is_char_device() && number == NVRAM_DEVICE {
        Kind::Nvram
    } else if kind.is_char_device() && number.0 == MTD_MAJOR {
        Kind::Mtd
    } else if is_bar(path) {
        Kind::Bar
    } else {
        Kind::File
    }
}

/// True of `…/resourceN` and `…/resourceN_wc` of a PCI card in sysfs.
fn is_bar(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = name.strip_prefix("resource").map(|rest| rest.strip_suffix("_wc").unwrap_or(rest));
    path.starts_with("/sys") && number.is_some_and(|n| n.len() == 1 && n.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(text: &str) -> Device {
        text.parse().unwrap()
    }

    #[test]
    fn a_kind_and_an_offset_may_be_named() {
        let table = [
            ("file:nvram.bin", Kind::File, "nvram.bin", None),
            ("file:a:b", Kind::File, "a:b", None),
            ("nvram:/dev/nvram@40", Kind::Nvram, "/dev/nvram", Some(40)),
            ("efi:Name", Kind::Efi, "Name", None),
            ("mtd:/dev/mtd0@0x20000", Kind::Mtd, "/dev/mtd0", Some(0x20000)),
            ("block:/dev/vdb", Kind::Block, "/dev/vdb", None),
            (
                "bar:/sys/bus/pci/devices/0000:00:04.0/resource2",
                Kind::Bar,
                "/sys/bus/pci/devices/0000:00:04.0/resource2",
                None,
            ),
            ("mem:/dev/mem@0xfed00000", Kind::Mem, "/dev/mem", Some(0xfed0_0000)),
            ("mem:odd@name", Kind::Mem, "odd@name", None),
        ];
        for (text, kind, path, offset) in table {
            let got = device(text);
            assert_eq!((got.kind(), got.path(), got.offset), (kind, Path::new(path), offset), "{text}");
            assert_eq!(got.to_string(), text);
        }
    }

    #[test]
    fn a_path_is_looked_at() {
        for (text, kind) in [
            ("no/such/file", Kind::File),
            ("/dev/null", Kind::File),
            ("/sys/bus/pci/devices/0000:00:04.0/resource2", Kind::File),
        ] {
            assert_eq!(
                device(text).kind(),
                if Path::new(text).exists() { detect(Path::new(text)) } else { kind },
                "{text}"
            );
        }
        assert!(is_bar(Path::new("/sys/bus/pci/devices/0000:00:04.0/resource2")));
        assert!(is_bar(Path::new("/sys/bus/pci/devices/0000:00:04.0/resource0_wc")));
        assert!(!is_bar(Path::new("/sys/bus/pci/devices/0000:00:04.0/resource")));
        assert!(!is_bar(Path::new("resource2")));
    }

    #[test]
    fn what_names_nothing_is_refused() {
        assert_eq!("".parse::<Device>(), Err(DeviceError::Empty));
        assert_eq!("efi:".parse::<Device>(), Err(DeviceError::Empty));
        assert_eq!("flash:/dev/x".parse::<Device>(), Err(DeviceError::Kind("flash".into(), "flash:/dev/x".into())));
        assert_eq!("file:x@4".parse::<Device>(), Err(DeviceError::Offset(4, "a file")));
        assert_eq!("efi:x@4".parse::<Device>(), Err(DeviceError::Offset(4, "a variable")));
    }

    #[test]
    fn variables_are_in_efivarfs_unless_a_directory_is_named() {
        assert_eq!(device("efi:Name").variables(), (Path::new(efi::DIRECTORY), "Name".to_owned()));
        assert_eq!(device("efi:/vars/Name").variables(), (Path::new("/vars"), "Name".to_owned()));
        assert_eq!(device("efi:/").variables(), (Path::new("/"), efi::DEFAULT_NAME.to_owned()));
    }
}
