//! The kernel's library for management packets, libibumad: it is loaded when a port is asked for, so that nothing else needs it.
//!
//! Types and functions are those of its `<infiniband/umad.h>`, which are the same in all its versions of this name.
#![allow(unsafe_code)]

use super::UmadError;
use super::ports::LocalPort;
use crate::infiniband::smp::{SMP_SIZE, Smp};
use std::ffi::{CStr, CString, c_char, c_int, c_long, c_uint, c_void};
use std::io;
use std::ptr::null_mut;
use std::time::Duration;
use zerocopy::IntoBytes;

/// The library's file; the number changes if its functions do.
const FILE: &str = "libibumad.so.3";

/// Bytes of a device's name, with a zero byte at its end.
const NAME: usize = 20;

/// More devices than a machine has.
const MAX_DEVICES: usize = 128;

/// The class of packets that go by directed routes, and its version.
const CLASS: c_int = 0x81;
const CLASS_VERSION: c_int = 1;

/// Instead of an identifier: the whole way is a directed route.
const PERMISSIVE: c_int = 0xffff;

/// With this result the library says that the reason is in `errno`.
const SEE_ERRNO: c_int = -5;

/// A device: `umad_ca_t`.
#[repr(C)]
struct Device {
    name: [c_char; NAME],
    node_type: c_uint,
    ports: c_int,
    firmware_type_and_hardware: [c_char; 80],
    guids: [u64; 2],
    /// By number; null where there is none.
    port: [*const Port; 10],
}

/// A port of a device: `umad_port_t`.
#[repr(C)]
struct Port {
    device: [c_char; NAME],
    number: c_int,
    lid_and_manager: [c_uint; 4],
    state: c_uint,
    physical_state_and_rate: [c_uint; 2],
    capabilities: u32,
    gid: [u64; 2],
    partition_keys: c_uint,
    partition_key: *const u16,
    link_layer: [c_char; NAME],
}

/// The library, and those of its functions that are used.
struct Library {
    device_names: unsafe extern "C" fn(*mut [c_char; NAME], c_int) -> c_int,
    device: unsafe extern "C" fn(*const c_char, *mut Device) -> c_int,
    release_device: unsafe extern "C" fn(*mut Device) -> c_int,
    open_port: unsafe extern "C" fn(*const c_char, c_int) -> c_int,
    close_port: unsafe extern "C" fn(c_int) -> c_int,
    register: unsafe extern "C" fn(c_int, c_int, c_int, u8, *mut c_long) -> c_int,
    header_size: unsafe extern "C" fn() -> usize,
    set_address: unsafe extern "C" fn(*mut c_void, c_int, c_int, c_int, c_int) -> c_int,
    status: unsafe extern "C" fn(*mut c_void) -> c_int,
    send: unsafe extern "C" fn(c_int, c_int, *mut c_void, c_int, c_int, c_int) -> c_int,
    receive: unsafe extern "C" fn(c_int, *mut c_void, *mut c_int, c_int) -> c_int,
    /// The functions are there as long as it is.
    _file: libloading::Library,
}

impl Library {
    fn load() -> Result<Library, libloading::Error> {
        // SAFETY: the library has no initialisers that ask anything of the program.
        let file = unsafe { libloading::Library::new(FILE)? };
        // SAFETY: the types are those of the library's header.
        unsafe {
            Ok(Library {
                device_names: *file.get(b"umad_get_cas_names\0")?,
                device: *file.get(b"umad_get_ca\0")?,
                release_device: *file.get(b"umad_release_ca\0")?,
                open_port: *file.get(b"umad_open_port\0")?,
                close_port: *file.get(b"umad_close_port\0")?,
                register: *file.get(b"umad_register\0")?,
                header_size: *file.get(b"umad_size\0")?,
                set_address: *file.get(b"umad_set_addr\0")?,
                status: *file.get(b"umad_status\0")?,
                send: *file.get(b"umad_send\0")?,
                receive: *file.get(b"umad_recv\0")?,
                _file: file,
            })
        }
    }
}

/// The InfiniBand devices of this machine.
pub(super) struct Devices(Library);

impl Devices {
    /// Loads the library.
    pub(super) fn new() -> Result<Devices, UmadError> {
        Library::load().map(Devices).map_err(UmadError::Library)
    }

    /// All their ports.
    pub(super) fn ports(&self) -> Vec<LocalPort> {
        let mut names = [[0; NAME]; MAX_DEVICES];
        // SAFETY: there is room for as many names as are asked for.
        let count = unsafe { (self.0.device_names)(names.as_mut_ptr(), MAX_DEVICES as c_int) };
        let count = usize::try_from(count).unwrap_or(0).min(MAX_DEVICES);
        names[..count].iter().flat_map(|name| self.ports_of(name)).collect()
    }

    fn ports_of(&self, name: &[c_char; NAME]) -> Vec<LocalPort> {
        // SAFETY: numbers and null pointers are plain data, for which all zeros are valid.
        let mut device: Device = unsafe { std::mem::zeroed() };
        // SAFETY: the name ends with a zero byte, as the library wrote it; the device has the library's layout.
        if unsafe { (self.0.device)(name.as_ptr(), &raw mut device) } != 0 {
            return Vec::new();
        }
        let ports = device.port.iter().filter(|port| !port.is_null()).map(|&port| {
            // SAFETY: a pointer that is not null is to a port, until the device is released.
            let port = unsafe { &*port };
            let (device, link_layer) = (text(name), text(&port.link_layer));
            LocalPort { device, port: port.number as u8, state: port.state, link_layer }
        });
        let ports = ports.collect();
        // SAFETY: the library has filled the device, and nothing of it is used any more.
        unsafe { (self.0.release_device)(&raw mut device) };
        ports
    }

    /// Opens a port for packets that go by directed routes.
    pub(super) fn open(self, port: &LocalPort) -> Result<OpenPort, UmadError> {
        let failed = |source| UmadError::open(port, source);
        let name = CString::new(port.device.as_str()).map_err(|_| failed(io::ErrorKind::InvalidInput.into()))?;
        // SAFETY: the name ends with a zero byte.
        let id = outcome(unsafe { (self.0.open_port)(name.as_ptr(), port.port.into()) }).map_err(failed)?;
        let mut open = OpenPort { library: self.0, id, agent: 0, header: 0, buffer: Vec::new() };
        // SAFETY: the port is open. Without a mask only answers to our own packets come.
        let agent = unsafe { (open.library.register)(id, CLASS, CLASS_VERSION, 0, null_mut()) };
        open.agent = outcome(agent).map_err(failed)?;
        // SAFETY: it asks for nothing; the size is what it is since the port was opened.
        open.header = unsafe { (open.library.header_size)() };
        open.buffer.resize((open.header + SMP_SIZE).div_ceil(size_of::<u32>()), 0);
        Ok(open)
    }
}

/// A port that is open.
pub(super) struct OpenPort {
    library: Library,
    id: c_int,
    /// What the kernel calls us.
    agent: c_int,
    /// Bytes of the kernel's header.
    header: usize,
    /// Room for the kernel's header and a packet after it, with the header's alignment.
    buffer: Vec<u32>,
}

impl OpenPort {
    /// Sends a packet. If no answer comes within `timeout` the kernel gives its header back.
    pub(super) fn send(&mut self, smp: &Smp, timeout: Duration) -> io::Result<()> {
        let header = self.header;
        self.buffer.as_mut_bytes()[header..header + SMP_SIZE].copy_from_slice(smp.as_bytes());
        let buffer = self.buffer.as_mut_ptr().cast();
        // SAFETY: the buffer has room for a header and a packet, and the port is open.
        let sent = unsafe {
            (self.library.set_address)(buffer, PERMISSIVE, 0, 0, 0);
            (self.library.send)(self.id, self.agent, buffer, SMP_SIZE as c_int, timeout.as_millis() as c_int, 0)
        };
        outcome(sent).map(|_| ())
    }

    /// Waits for what comes next: the kernel's status, and the bytes after its header.
    pub(super) fn receive(&mut self, patience: Duration) -> io::Result<(u32, &[u8])> {
        let mut len = SMP_SIZE as c_int;
        let buffer = self.buffer.as_mut_ptr().cast();
        // SAFETY: the buffer has room for a header and `len` bytes, and the port is open.
        let came = unsafe { (self.library.receive)(self.id, buffer, &raw mut len, patience.as_millis() as c_int) };
        outcome(came)?;
        // SAFETY: the buffer begins with a header.
        let status = unsafe { (self.library.status)(buffer) };
        let len = usize::try_from(len).unwrap_or(0).min(SMP_SIZE);
        Ok((status as u32, &self.buffer.as_bytes()[self.header..self.header + len]))
    }
}

impl Drop for OpenPort {
    fn drop(&mut self) {
        // SAFETY: the port is open, and is not used any more.
        unsafe { (self.library.close_port)(self.id) };
    }
}

/// A result of the library: below zero a reason.
fn outcome(result: c_int) -> io::Result<c_int> {
    match result {
        0.. => Ok(result),
        SEE_ERRNO => Err(io::Error::last_os_error()),
        reason => Err(io::Error::from_raw_os_error(-reason)),
    }
}

/// Text of the library's, which ends with a zero byte.
fn text(text: &[c_char; NAME]) -> String {
    let bytes = text.map(|c| c as u8);
    CStr::from_bytes_until_nul(&bytes).map(|text| text.to_string_lossy().into_owned()).unwrap_or_default()
}
