//! Gives the wasm's imports short names, in the module and in the glue.
//!
//! wasm-bindgen names each import after the function and a hash, `__wbg_send_5b5f7c11d6f2a9e0`, so that crates cannot clash
//! before they are linked. Afterwards nobody reads them; hashes do not compress, and they stand in both files: for 50 imports
//! the short names saved 1,100 bytes of gzip in the wasm and 750 in the glue.

use std::collections::{BTreeMap, BTreeSet};

use crate::Result;

/// The one module that the wasm imports from, after this.
pub(crate) const MODULE: &str = "e";

/// The same under wasm-bindgen's name.
const BOUND_MODULE: &str = "./everwire_bg.js";

const IMPORT: u8 = 2;
const FUNCTION: u8 = 0;

/// Returns wasm and glue with the new names. It is an error if a name does not occur in the glue, or an import is foreign.
pub(crate) fn shorten(wasm: &[u8], glue: &str) -> Result<(Vec<u8>, String)> {
    let mut names = Names::of(glue);
    let wasm = rename(wasm, &mut names)?;
    let quoted = format!("\"{BOUND_MODULE}\"");
    if !glue.contains(&quoted) {
        return Err(format!("the glue does not provide the module {quoted}"));
    }
    let glue = glue.replace(&quoted, &format!("\"{MODULE}\""));
    let renamed = pieces(&glue).map(|piece| names.given.get(piece).map_or(piece, String::as_str)).collect();
    Ok((wasm, renamed))
}

/// Which words the glue uses, and what has been renamed.
struct Names<'a> {
    taken: BTreeSet<&'a str>,
    given: BTreeMap<String, String>,
    count: usize,
}

impl<'a> Names<'a> {
    fn of(glue: &'a str) -> Self {
        Names {
            taken: pieces(glue).filter(|piece| is_word(piece)).collect(),
            given: BTreeMap::new(),
            count: 0,
        }
    }

    /// A short name that means nothing else in the glue.
    fn short(&mut self, name: &str) -> Result<String> {
        if !self.taken.contains(name) {
            return Err(format!("the glue does not provide the import `{name}`"));
        }
        if let Some(given) = self.given.get(name) {
            return Ok(given.clone());
        }
        loop {
            let candidate = format!("_{}", base36(self.count));
            self.count += 1;
            if !self.taken.contains(candidate.as_str()) {
                self.given.insert(name.to_owned(), candidate.clone());
                return Ok(candidate);
            }
        }
    }
}

fn base36(mut number: usize) -> String {
    const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
    let mut digits = Vec::new();
    loop {
        digits.push(char::from(DIGITS[number % 36]));
        number /= 36;
        if number == 0 {
            return digits.into_iter().rev().collect();
        }
    }
}

/// Splits JavaScript into words and what lies between; both together are the text.
fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest.find(|char| in_word(char) != in_word(first)).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        rest = after;
        Some(piece)
    })
}

fn is_word(piece: &str) -> bool {
    piece.starts_with(in_word)
}

fn in_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '$'
}

/// Copies the module, its import section rewritten.
fn rename(wasm: &[u8], names: &mut Names<'_>) -> Result<Vec<u8>> {
    let cut_short = || "the wasm is cut short".to_owned();
    let (header, mut rest) = wasm.split_at_checked(8).ok_or_else(cut_short)?;
    let mut renamed = header.to_vec();
    while let Some((&id, after)) = rest.split_first() {
        rest = after;
        let size = number(&mut rest).ok_or_else(cut_short)?;
        let section = take(&mut rest, size).ok_or_else(cut_short)?;
        renamed.push(id);
        if id == IMPORT {
            let section = rename_imports(section, names)?;
            put_number(&mut renamed, section.len());
            renamed.extend(section);
        } else {
            put_number(&mut renamed, size);
            renamed.extend_from_slice(section);
        }
    }
    Ok(renamed)
}

fn rename_imports(mut section: &[u8], names: &mut Names<'_>) -> Result<Vec<u8>> {
    let cut_short = || "the import section is cut short".to_owned();
    let mut renamed = Vec::new();
    let count = number(&mut section).ok_or_else(cut_short)?;
    put_number(&mut renamed, count);
    for _ in 0..count {
        let module = text(&mut section).ok_or_else(cut_short)?;
        let name = text(&mut section).ok_or_else(cut_short)?;
        if module != BOUND_MODULE {
            return Err(format!(
                "the wasm imports `{name}` from `{module}`, which is not wasm-bindgen's module"
            ));
        }
        let (kind, type_index) = take(&mut section, 1).zip(number(&mut section)).ok_or_else(cut_short)?;
        if kind != [FUNCTION] {
            return Err(format!("the import `{name}` is no function"));
        }
        put_text(&mut renamed, MODULE);
        put_text(&mut renamed, &names.short(name)?);
        renamed.push(FUNCTION);
        put_number(&mut renamed, type_index);
    }
    Ok(renamed)
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

fn text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let size = number(bytes)?;
    std::str::from_utf8(take(bytes, size)?).ok()
}

/// An unsigned LEB128 number of 32 bits.
fn number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0;
    for shift in (0..35).step_by(7) {
        let byte = take(bytes, 1)?[0];
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return usize::try_from(number).ok();
        }
    }
    None
}

fn put_text(bytes: &mut Vec<u8>, text: &str) {
    put_number(bytes, text.len());
    bytes.extend_from_slice(text.as_bytes());
}

fn put_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wasm::Module;

    const GLUE: &str = r#"const import0 = { __wbg_send_1234: function(_0) {}, __wbg_send_12345: function() {} };
return { "./everwire_bg.js": import0 };"#;

    fn module(imports: &[(&str, &str)]) -> Vec<u8> {
        let mut section = Vec::new();
        put_number(&mut section, imports.len());
        for (module, name) in imports {
            put_text(&mut section, module);
            put_text(&mut section, name);
            section.extend([FUNCTION, 0]);
        }
        let mut bytes = b"\0asm\x01\0\0\0".to_vec();
        bytes.extend([1, 4, 1, 0x60, 0, 0, IMPORT]);
        put_number(&mut bytes, section.len());
        bytes.extend(section);
        bytes.extend([10, 1, 0]);
        bytes
    }

    #[test]
    fn both_sides_get_the_same_new_names() {
        let wasm = module(&[(BOUND_MODULE, "__wbg_send_1234"), (BOUND_MODULE, "__wbg_send_12345")]);
        let (wasm, glue) = shorten(&wasm, GLUE).expect("renamed");
        // `_0` is taken; a name that begins with another one is not touched by that one.
        let expected = GLUE.replace("__wbg_send_12345", "_2").replace("__wbg_send_1234", "_1");
        assert_eq!(glue, expected.replace(BOUND_MODULE, MODULE));
        let module = Module::read(&wasm).expect("still a module");
        assert_eq!(module.imports, [MODULE, MODULE]);
        assert_eq!(module.sections.len(), 3);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        assert!(shorten(&module(&[(BOUND_MODULE, "__wbg_other_1")]), GLUE).is_err());
        assert!(shorten(&module(&[("env", "__wbg_send_1234")]), GLUE).is_err());
        assert!(shorten(&module(&[]), "no module").is_err());
        let wasm = module(&[(BOUND_MODULE, "__wbg_send_1234")]);
        assert!(shorten(&wasm[..wasm.len() - 5], GLUE).is_err());
    }

    #[test]
    fn numbers_and_names() {
        for value in [0, 127, 128, 16_383, 16_384, 1 << 21] {
            let mut bytes = Vec::new();
            put_number(&mut bytes, value);
            assert_eq!(number(&mut bytes.as_slice()), Some(value));
        }
        assert_eq!((base36(0), base36(35), base36(36)), ("0".into(), "z".into(), "10".into()));
        assert_eq!(pieces("a.b1 = $c;").collect::<Vec<_>>(), ["a", ".", "b1", " = ", "$c", ";"]);
    }
}
