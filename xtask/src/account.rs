//! Where the bytes of the wasm go: by crate, and the largest functions.

use std::collections::BTreeMap;

use crate::step::say;
use crate::wasm::Module;

/// How many of the largest functions are shown.
const TOP: usize = 15;
/// How much of a function's name is shown: monomorphised names fill screens.
const NAME_WIDTH: usize = 96;

/// Prints the account of a module that still has its names.
pub(crate) fn print(name: &str, module: &Module) {
    let code: usize = module.functions.iter().map(|function| function.1).sum();
    // The names themselves are not published.
    let total: usize =
        module.sections.iter().filter(|section| section.0 != "name").map(|section| section.1).sum();
    let percent = |bytes: usize| bytes as f64 * 100.0 / total.max(1) as f64;

    say(&format!(
        "\nwhere the bytes of {name} go ({total} raw)\n\n  {:<24} {:>8} {:>6}",
        "code, by crate", "raw", "%"
    ));
    let mut crates: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, size) in &module.functions {
        *crates.entry(owner(name)).or_default() += size;
    }
    let mut crates: Vec<_> = crates.into_iter().collect();
    crates.sort_by_key(|row| std::cmp::Reverse(row.1));
    for (name, size) in crates {
        say(&format!("  {name:<24} {size:>8} {:>6.1}", percent(size)));
    }
    let others = module.sections.iter().filter(|section| !matches!(section.0.as_str(), "code" | "name"));
    let mut others: Vec<_> = others.collect();
    others.sort_by_key(|row| std::cmp::Reverse(row.1));
    for (name, size) in others {
        say(&format!("  {:<24} {size:>8} {:>6.1}", format!("({name} section)"), percent(*size)));
    }

    say(&format!("\n  the largest of {} functions ({code} bytes of code)", module.functions.len()));
    let mut functions: Vec<_> = module.functions.iter().collect();
    functions.sort_by_key(|row| std::cmp::Reverse(row.1));
    for (name, size) in functions.into_iter().take(TOP) {
        let name: String = readable(name).chars().take(NAME_WIDTH).collect();
        say(&format!("  {size:>8}  {name}"));
    }
}

/// The crate a function was written in, from its demangled name in either of rustc's styles:
/// `<core[c593]::fmt::Formatter>::pad`, `alloc::vec::Vec<T,A>::push::h60f3`. Generic code counts for the crate that wrote it.
fn owner(name: &str) -> &str {
    let path = name.trim_start_matches(['<', '&', '(', '[', '*', ' ']);
    for word in ["mut ", "const ", "dyn ", "impl "] {
        if let Some(rest) = path.strip_prefix(word) {
            return owner(rest);
        }
    }
    let end = path.find(|char: char| !char.is_alphanumeric() && char != '_').unwrap_or(path.len());
    let (head, rest) = path.split_at(end);
    match head {
        // The allocator's entry points that rustc makes.
        "__rustc" => "std",
        _ if rest.starts_with("::") || rest.starts_with('[') => head,
        // `<u32 as core::fmt::Display>::fmt`: the trait's crate has the code for a primitive.
        _ if rest.starts_with(" as ") => owner(&rest[" as ".len()..]),
        "" => "(no name)",
        _ if head.starts_with("__") => "wasm_bindgen",
        // What has no path is exported under its bare name.
        _ => "everwire (exports)",
    }
}

/// Without the crates' and functions' hashes.
fn readable(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(start) = rest.find('[') {
        let hash = rest[start + 1..].bytes().take_while(u8::is_ascii_hexdigit).count();
        text.push_str(&rest[..start]);
        if hash > 0 && rest[start + 1 + hash..].starts_with(']') {
            rest = &rest[start + hash + 2..];
        } else {
            text.push('[');
            rest = &rest[start + 1..];
        }
    }
    text.push_str(rest);
    if let Some((path, last)) = text.rsplit_once("::h")
        && last.len() == 16
        && last.bytes().all(|byte| byte.is_ascii_hexdigit())
    {
        return path.to_owned();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_belong_to_the_crate_that_wrote_them() {
        let cases = [
            (
                "<dlmalloc[e24a27700634d609]::dlmalloc::Dlmalloc<dlmalloc[e24a]::sys::System>>::malloc",
                "dlmalloc",
            ),
            ("core[c5930c85a12de822]::fmt::write", "core"),
            ("alloc::raw_vec::RawVecInner<A>::finish_grow::hb3c7704e6cdfb921", "alloc"),
            ("<u32 as core[c5930c85a12de822]::fmt::Display>::fmt", "core"),
            ("<&mut everwire_core::client::Client as core::fmt::Debug>::fmt", "everwire_core"),
            ("__rustc[b7974e8690430dd9]::__rdl_realloc", "std"),
            ("__wbindgen_malloc", "wasm_bindgen"),
            ("wire_create", "everwire (exports)"),
            ("", "(no name)"),
        ];
        for (name, expected) in cases {
            assert_eq!(owner(name), expected, "{name}");
        }
    }

    #[test]
    fn hashes_are_not_shown() {
        assert_eq!(readable("<core[c5930c85a12de822]::fmt::Formatter>::pad"), "<core::fmt::Formatter>::pad");
        assert_eq!(readable("a::b::hb3c7704e6cdfb921"), "a::b");
        assert_eq!(readable("<[T]>::sort::hello"), "<[T]>::sort::hello");
    }
}
