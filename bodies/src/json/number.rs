//! Numbers of JSON, as they stand.

use everwire_core::frame::NUMBER_MAX;

/// What a number is to this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Integer {
    /// One of its numbers. [NUM-1]
    Number(u64),
    /// An integer below 0 or above 2^53 − 1.
    OutOfRange,
    /// No integer.
    Fraction,
}

/// Takes any spelling of an integer, exactly: `1`, `1.0` and `10e-1` are the same. [FRM-13]
pub(crate) fn integer(raw: &str) -> Integer {
    let (raw, negative) = raw.strip_prefix('-').map_or((raw, false), |rest| (rest, true));
    let (mantissa, exponent) = raw.split_once(['e', 'E']).unwrap_or((raw, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    let significant = digits().rev().skip_while(|digit| *digit == b'0').count();
    let leading = digits().take_while(|digit| *digit == b'0').count();
    if significant == 0 {
        return Integer::Number(0);
    }
    // The value is that of the significant digits, times ten to so much.
    let tens = exponent_of(exponent)
        .saturating_add_unsigned(whole.len() as u64)
        .saturating_sub_unsigned(significant as u64);
    let Ok(tens) = u64::try_from(tens) else { return Integer::Fraction };
    // 2^53 − 1 has sixteen digits.
    if negative || tens.saturating_add((significant - leading) as u64) > 16 {
        return Integer::OutOfRange;
    }
    let zeros = core::iter::repeat_n(b'0', tens as usize);
    let value = digits()
        .take(significant)
        .chain(zeros)
        .fold(0u64, |value, digit| value * 10 + u64::from(digit.saturating_sub(b'0')));
    if value > NUMBER_MAX { Integer::OutOfRange } else { Integer::Number(value) }
}

fn exponent_of(exponent: &str) -> i64 {
    let (digits, sign) = match exponent.strip_prefix('-') {
        Some(digits) => (digits, -1),
        None => (exponent.strip_prefix('+').unwrap_or(exponent), 1),
    };
    digits
        .bytes()
        .fold(0i64, |value, digit| {
            value.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0')))
        })
        .saturating_mul(sign)
}

/// Whether it is finite once it is rounded to binary64. [REF-6]
pub(crate) fn is_finite(raw: &str) -> bool {
    // 10^308 is finite, and no number without an exponent that is shorter comes near it.
    (raw.len() <= 308 && !raw.bytes().any(|octet| matches!(octet, b'e' | b'E')))
        || raw.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// [FRM-13] [NUM-1]
    #[test]
    fn every_spelling_of_an_integer() {
        for (raw, value) in [
            ("0", 0),
            ("-0", 0),
            ("0.000", 0),
            ("-0.0e99999999999999999999", 0),
            ("0e-1", 0),
            ("1", 1),
            ("1.0", 1),
            ("10e-1", 1),
            ("0.01e2", 1),
            ("1E+0", 1),
            ("1000e-3", 1),
            ("1.5e1", 15),
            ("120", 120),
            ("1.20e2", 120),
            ("9007199254740991", NUMBER_MAX),
            ("9007199254740991.000", NUMBER_MAX),
            ("9.007199254740991e15", NUMBER_MAX),
            ("90071992547409910e-1", NUMBER_MAX),
            ("1e15", 1_000_000_000_000_000),
            ("0.0000000000000000000000001e25", 1),
        ] {
            assert_eq!(integer(raw), Integer::Number(value), "{raw}");
        }
    }

    /// [FRM-13] [NUM-1] [NUM-2]
    #[test]
    fn what_is_no_number_of_the_protocol() {
        for raw in [
            "9007199254740992",
            "9007199254740991.0e1",
            "1e16",
            "1e400",
            "1e99999999999999999999",
            "-1",
            "-1e0",
            "-9007199254740991",
            "99999999999999999999999999",
            "18446744073709551617",
        ] {
            assert_eq!(integer(raw), Integer::OutOfRange, "{raw}");
        }
        for raw in [
            "0.5",
            "1.5",
            "15e-1",
            "-0.5",
            "1e-1",
            "1e-99999999999999999999",
            "9007199254740990.5",
            "1e-9223372036854775808",
        ] {
            assert_eq!(integer(raw), Integer::Fraction, "{raw}");
        }
        let long = format!("1{}e-5000", "0".repeat(5000));
        assert_eq!(integer(&long), Integer::Number(1));
        assert_eq!(integer(&format!("{long}1")), Integer::Fraction);
    }

    /// [REF-6]
    #[test]
    fn the_edge_of_binary64() {
        // In the middle between the highest finite number and what would be the next; below it everything is finite.
        let middle = "179769313486231580793728971405303415079934132710037826936173778980444968292764750946649017977587\
            207096330286416692887910946555547851940402630657488671505820681908902000708383676273854845817711531764475730270\
            069855571366959622842914819860834936475292719074168444365510704342711559699508093042880177904174497792";
        let below = format!("{}1.{}", &middle[..middle.len() - 1], "9".repeat(500));
        let nines = "9".repeat(308);
        for raw in [
            "0",
            "-1.5e-7",
            "1e-99999999999999999999",
            "1.7976931348623157e308",
            "-1.7976931348623158e308",
            &nines,
            &below,
        ] {
            assert!(is_finite(raw), "{raw}");
        }
        let tens = format!("1{}", "0".repeat(309));
        for raw in [
            "1.7976931348623159e308",
            "-1.7976931348623159e308",
            "1e309",
            "-1e309",
            "1E400",
            "0.1e99999999999999999999",
            &tens,
            middle,
        ] {
            assert!(!is_finite(raw), "{raw}");
        }
    }
}
