//! As much of an ELF file as says what else it needs to run: its interpreter and its shared libraries.
//!
//! 64-bit little-endian files only, which is what Linux on x86-64, ARM64 and RISC-V has. No byte is trusted.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, KnownLayout, Unaligned};

const SEGMENT_LOAD: u32 = 1;
const SEGMENT_DYNAMIC: u32 = 2;
const SEGMENT_INTERPRETER: u32 = 3;

const DYNAMIC_END: u64 = 0;
const DYNAMIC_NEEDED: u64 = 1;
const DYNAMIC_STRINGS: u64 = 5;
const DYNAMIC_RPATH: u64 = 15;
const DYNAMIC_RUNPATH: u64 = 29;

/// The header's identification: magic, 64-bit, little-endian, version 1.
const IDENTIFICATION: [u8; 7] = [0x7f, b'E', b'L', b'F', 2, 1, 1];

/// The file header (System V ABI, figure 4-3).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct FileHeader {
    identification: [u8; 7],
    system: [u8; 9],
    kind: U16,
    machine: U16,
    version: U32,
    entry: U64,
    segments_offset: U64,
    sections_offset: U64,
    flags: U32,
    header_len: U16,
    segment_len: U16,
    segment_count: U16,
    section_len: U16,
    section_count: U16,
    names_index: U16,
}
const _: () = assert!(size_of::<FileHeader>() == 64);

/// One entry of the program header table (figure 5-1).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Segment {
    kind: U32,
    flags: U32,
    offset: U64,
    address: U64,
    physical_address: U64,
    file_len: U64,
    memory_len: U64,
    alignment: U64,
}
const _: () = assert!(size_of::<Segment>() == 56);

/// One entry of the dynamic section (figure 5-9).
#[derive(FromBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Dynamic {
    tag: U64,
    value: U64,
}
const _: () = assert!(size_of::<Dynamic>() == 16);

/// What an ELF file needs to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elf {
    /// The number of its processor's kind (`e_machine`).
    pub machine: u16,
    /// The path of its interpreter; `None` for a static program or a library.
    pub interpreter: Option<String>,
    /// The names of the libraries that it needs (`DT_NEEDED`).
    pub needed: Vec<String>,
    /// Where to look for them first (`DT_RUNPATH`, else `DT_RPATH`), `$ORIGIN` not yet replaced.
    pub search: Vec<String>,
}

/// Why a file is not an ELF file that can be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ElfError {
    /// Another kind of file.
    #[error("not a 64-bit little-endian ELF file")]
    NotElf,
    /// A part lies outside the file.
    #[error("the ELF file is damaged: its {0} lies outside the file")]
    Outside(&'static str),
    /// A name that is not closed or not UTF-8.
    #[error("the ELF file is damaged: its {0} is not a text")]
    Text(&'static str),
}

impl Elf {
    /// Reads what a program or library needs.
    pub fn parse(bytes: &[u8]) -> Result<Elf, ElfError> {
        let (header, _) = FileHeader::ref_from_prefix(bytes).map_err(|_| ElfError::NotElf)?;
        if header.identification != IDENTIFICATION {
            return Err(ElfError::NotElf);
        }
        let segments = segments(bytes, header)?;
        let mut elf = Elf { machine: header.machine.get(), interpreter: None, needed: vec![], search: vec![] };
        if let Some(segment) = segments.iter().find(|segment| segment.kind.get() == SEGMENT_INTERPRETER) {
            let text = part(bytes, segment.offset.get(), segment.file_len.get(), "interpreter")?;
            elf.interpreter = Some(text_at(text, 0, "interpreter")?);
        }
        if let Some(segment) = segments.iter().find(|segment| segment.kind.get() == SEGMENT_DYNAMIC) {
            elf.read_dynamic(bytes, segments, segment)?;
        }
        Ok(elf)
    }

    fn read_dynamic(&mut self, bytes: &[u8], segments: &[Segment], segment: &Segment) -> Result<(), ElfError> {
        let table = part(bytes, segment.offset.get(), segment.file_len.get(), "dynamic section")?;
        let count = table.len() / size_of::<Dynamic>();
        let (table, _) =
            <[Dynamic]>::ref_from_prefix_with_elems(table, count).map_err(|_| ElfError::Outside("dynamic section"))?;
        let entries = || table.iter().take_while(|entry| entry.tag.get() != DYNAMIC_END);
        let values = |tag| entries().filter(move |entry| entry.tag.get() == tag).map(|entry| entry.value.get());
        let Some(address) = values(DYNAMIC_STRINGS).next() else { return Ok(()) };
        let strings = loaded_at(bytes, segments, address)?;
        for name in values(DYNAMIC_NEEDED) {
            self.needed.push(text_at(strings, name, "library name")?);
        }
        if let Some(paths) = values(DYNAMIC_RUNPATH).next().or(values(DYNAMIC_RPATH).next()) {
            let paths = text_at(strings, paths, "library path")?;
            self.search = paths.split(':').filter(|path| !path.is_empty()).map(str::to_owned).collect();
        }
        Ok(())
    }
}

fn segments<'a>(bytes: &'a [u8], header: &FileHeader) -> Result<&'a [Segment], ElfError> {
    let count = usize::from(header.segment_count.get());
    if count > 0 && usize::from(header.segment_len.get()) != size_of::<Segment>() {
        return Err(ElfError::NotElf);
    }
    let outside = ElfError::Outside("program header table");
    let start = usize::try_from(header.segments_offset.get()).map_err(|_| outside.clone())?;
    let table = bytes.get(start..).ok_or(outside.clone())?;
    <[Segment]>::ref_from_prefix_with_elems(table, count).map(|(segments, _)| segments).map_err(|_| outside)
}

/// So many bytes of the file.
fn part<'a>(bytes: &'a [u8], offset: u64, len: u64, what: &'static str) -> Result<&'a [u8], ElfError> {
    let range = || {
        let end = usize::try_from(offset.checked_add(len)?).ok()?;
        bytes.get(usize::try_from(offset).ok()?..end)
    };
    range().ok_or(ElfError::Outside(what))
}

/// The bytes of the file from what is loaded at `address` to the end of its segment.
fn loaded_at<'a>(bytes: &'a [u8], segments: &[Segment], address: u64) -> Result<&'a [u8], ElfError> {
    let outside = ElfError::Outside("string table");
    let inside = |segment: &&Segment| {
        let within = address.checked_sub(segment.address.get());
        segment.kind.get() == SEGMENT_LOAD && within.is_some_and(|within| within < segment.file_len.get())
    };
    let segment = segments.iter().find(inside).ok_or(outside)?;
    let within = address - segment.address.get();
    let loaded = part(bytes, segment.offset.get(), segment.file_len.get(), "string table")?;
    Ok(&loaded[within as usize..])
}

/// The text that starts at `offset` and ends with a zero.
fn text_at(bytes: &[u8], offset: u64, what: &'static str) -> Result<String, ElfError> {
    let start = usize::try_from(offset).ok().filter(|&start| start < bytes.len()).ok_or(ElfError::Outside(what))?;
    let end = bytes[start..].iter().position(|&byte| byte == 0).ok_or(ElfError::Text(what))?;
    String::from_utf8(bytes[start..start + end].to_vec()).map_err(|_| ElfError::Text(what))
}
