//! ELF files and archives that an initramfs is made of, from bytes that nobody can trust.

use twowire_multicast_boot::image::align::align;
use twowire_multicast_boot::initramfs::elf::Elf;

/// Reads the bytes as an ELF file and as an archive.
pub(crate) fn run(data: &[u8]) {
    if let Ok(elf) = Elf::parse(data) {
        assert!(elf.needed.len() + elf.search.len() <= data.len());
    }
    if let Ok(aligned) = align(data) {
        assert!(align(&aligned).is_ok(), "what was aligned is an archive");
    }
}
