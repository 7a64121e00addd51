//! Reads a WebAssembly module as far as its makers need: sections, imports, exports, function names and sizes.

use std::collections::BTreeMap;

use crate::Result;

/// What a module holds.
#[derive(Debug, Default)]
pub(crate) struct Module {
    /// Name and size of every section, its own header included, in file order.
    pub(crate) sections: Vec<(String, usize)>,
    /// The module names that are imported from, one per import.
    pub(crate) imports: Vec<String>,
    /// The names of all exports.
    pub(crate) exports: Vec<String>,
    /// Name and size of every function body; without a name section the names are empty.
    pub(crate) functions: Vec<(String, usize)>,
}

impl Module {
    /// Reads a binary module.
    pub(crate) fn read(bytes: &[u8]) -> Result<Module> {
        parse(bytes).ok_or_else(|| "not a WebAssembly module, or cut short".to_owned())
    }
}

const CUSTOM: u8 = 0;
const IMPORT: u8 = 2;
const EXPORT: u8 = 7;
const CODE: u8 = 10;

fn parse(bytes: &[u8]) -> Option<Module> {
    let mut reader = Reader { bytes: bytes.strip_prefix(b"\0asm\x01\0\0\0")? };
    let mut module = Module::default();
    let mut imported_functions = 0;
    let mut bodies = Vec::new();
    let mut names = BTreeMap::new();
    while !reader.bytes.is_empty() {
        let before = reader.bytes.len();
        let id = reader.byte()?;
        let size = reader.number()?;
        let mut section = Reader { bytes: reader.take(size)? };
        let mut title = section_name(id).to_owned();
        match id {
            CUSTOM => {
                title = section.text()?;
                if title == "name" {
                    names = function_names(section)?;
                }
            }
            IMPORT => {
                for _ in 0..section.number()? {
                    module.imports.push(section.text()?);
                    section.text()?;
                    imported_functions += usize::from(section.import_is_function()?);
                }
            }
            EXPORT => {
                for _ in 0..section.number()? {
                    module.exports.push(section.text()?);
                    section.byte()?;
                    section.number()?;
                }
            }
            CODE => {
                for _ in 0..section.number()? {
                    let before = section.bytes.len();
                    let size = section.number()?;
                    section.take(size)?;
                    bodies.push(before - section.bytes.len());
                }
            }
            _ => {}
        }
        module.sections.push((title, before - reader.bytes.len()));
    }
    module.functions = bodies
        .into_iter()
        .enumerate()
        .map(|(index, size)| (names.remove(&(imported_functions + index)).unwrap_or_default(), size))
        .collect();
    Some(module)
}

fn section_name(id: u8) -> &'static str {
    const NAMES: [&str; 14] = [
        "custom",
        "type",
        "import",
        "function",
        "table",
        "memory",
        "global",
        "export",
        "start",
        "element",
        "code",
        "data",
        "data count",
        "tag",
    ];
    NAMES.get(usize::from(id)).copied().unwrap_or("unknown")
}

/// The function names of the `name` section, by function index.
fn function_names(mut section: Reader<'_>) -> Option<BTreeMap<usize, String>> {
    const FUNCTIONS: u8 = 1;
    let mut names = BTreeMap::new();
    while !section.bytes.is_empty() {
        let id = section.byte()?;
        let size = section.number()?;
        let mut part = Reader { bytes: section.take(size)? };
        if id == FUNCTIONS {
            for _ in 0..part.number()? {
                names.insert(part.number()?, part.text()?);
            }
        }
    }
    Some(names)
}

struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count)?;
        self.bytes = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// An unsigned LEB128 number of at most 64 bits (a limit of a 64-bit memory is the largest there is).
    fn number(&mut self) -> Option<usize> {
        let mut number: u64 = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return usize::try_from(number).ok();
            }
        }
        None
    }

    fn text(&mut self) -> Option<String> {
        let size = self.number()?;
        self.take(size).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    fn import_is_function(&mut self) -> Option<bool> {
        match self.byte()? {
            0 => {
                self.number()?;
                return Some(true);
            }
            1 => {
                // A table: its element type, one byte for all types that a module without GC can import.
                self.byte()?;
                self.limits()?;
            }
            2 => self.limits()?,
            3 => {
                self.take(2)?;
            }
            4 => {
                self.byte()?;
                self.number()?;
            }
            _ => return None,
        }
        Some(false)
    }

    fn limits(&mut self) -> Option<()> {
        let flags = self.byte()?;
        self.number()?;
        if flags & 1 == 1 {
            self.number()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let mut bytes = vec![id, u8::try_from(content.len()).expect("a short section")];
        bytes.extend_from_slice(content);
        bytes
    }

    fn example() -> Vec<u8> {
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.extend(section(1, &[1, 0x60, 0, 0]));
        // env.f, a function; env.m, a memory with a maximum
        bytes.extend(section(2, b"\x02\x03env\x01f\x00\x00\x03env\x01m\x02\x01\x01\x02"));
        bytes.extend(section(3, &[2, 0, 0]));
        bytes.extend(section(7, b"\x01\x03run\x00\x01"));
        bytes.extend(section(10, &[2, 2, 0, 0x0b, 4, 0, 1, 1, 0x0b]));
        // names of functions 1 and 2: the imported one has index 0
        bytes.extend(section(0, b"\x04name\x01\x09\x02\x01\x01a\x02\x03b::"));
        bytes
    }

    #[test]
    fn imports_exports_and_named_functions() {
        let module = Module::read(&example()).expect("a module");
        assert_eq!(module.imports, ["env", "env"]);
        assert_eq!(module.exports, ["run"]);
        assert_eq!(module.functions, [("a".to_owned(), 3), ("b::".to_owned(), 5)]);
        assert_eq!(module.sections.len(), 6);
        let total: usize = module.sections.iter().map(|section| section.1).sum();
        assert_eq!(total + 8, example().len());
    }

    #[test]
    fn a_damaged_module_is_an_error_and_no_panic() {
        let bytes = example();
        for end in 0..bytes.len() {
            let _ = Module::read(&bytes[..end]);
        }
        for index in 8..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] = 0xff;
            let _ = Module::read(&damaged);
        }
        assert!(Module::read(b"\0asm\x02\0\0\0").is_err());
        assert!(Module::read(&bytes[..bytes.len() - 1]).is_err());
    }
}
