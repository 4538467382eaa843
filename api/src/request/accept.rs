//! `Accept` (RFC 9110, section 12.5.1): which of the media types that we have a client prefers.

use http::HeaderMap;
use http::header::ACCEPT;
use mime::Mime;

use crate::problem::{Problem, ProblemCode};

/// Returns the media type of those offered that a request prefers.
///
/// # Errors
/// `not_acceptable` when it excludes all of them.
pub(crate) fn acceptable<'a>(headers: &HeaderMap, offered: &[&'a str]) -> Result<&'a str, Problem> {
    Accept::of(headers).choose(offered).ok_or_else(|| {
        let detail = format!("This can be answered as {}.", offered.join(" or "));
        Problem::new(ProblemCode::NotAcceptable, detail)
    })
}

/// What a request accepts, in thousandths of a weight.
#[derive(Clone, Debug)]
pub(crate) struct Accept {
    ranges: Vec<(Mime, u16)>,
}

impl Accept {
    /// Reads a request's headers. Ranges that cannot be read are ignored; no header accepts everything.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let ranges = headers
            .get_all(ACCEPT)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|range| range.trim().parse::<Mime>().ok())
            .map(|range| {
                let weight = range
                    .get_param("q")
                    .map_or(Some(1_000), |q| weight(q.as_str()));
                (range, weight.unwrap_or(0))
            })
            .collect();
        Self { ranges }
    }

    /// Returns how much this media type is wanted, from 0 (not at all) to 1000. The most specific range that
    /// covers it decides; parameters of a range, such as a charset, are not compared.
    fn weight_of(&self, media_type: &str) -> u16 {
        if self.ranges.is_empty() {
            return 1_000;
        }
        let (kind, _) = media_type.split_once('/').unwrap_or((media_type, ""));
        let covering = self.ranges.iter().filter_map(|(range, weight)| {
            let specific = match range.essence_str() {
                essence if essence.eq_ignore_ascii_case(media_type) => 2,
                "*/*" => 0,
                _ if range.subtype() == mime::STAR && range.type_().as_str() == kind => 1,
                _ => return None,
            };
            Some((specific, *weight))
        });
        covering.max().map_or(0, |(_, weight)| weight)
    }

    /// Returns the most wanted of these; the earlier one where two are wanted alike. `None` when none is
    /// acceptable.
    pub(crate) fn choose<'a>(&self, offered: &[&'a str]) -> Option<&'a str> {
        let mut best: Option<(&str, u16)> = None;
        for media_type in offered {
            let weight = self.weight_of(media_type);
            if weight > best.map_or(0, |(_, weight)| weight) {
                best = Some((media_type, weight));
            }
        }
        best.map(|(media_type, _)| media_type)
    }
}

/// Reads a qvalue in thousandths; `None` when it is none.
fn weight(q: &str) -> Option<u16> {
    let (whole, fraction) = q.split_once('.').unwrap_or((q, ""));
    let digits = fraction.len() <= 3 && fraction.bytes().all(|digit| digit.is_ascii_digit());
    if !digits {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const OFFERED: [&str; 2] = ["application/json", "text/csv"];

    fn choose(accept: &[&str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for value in accept {
            let value = HeaderValue::from_str(value).expect("a header value");
            headers.append(ACCEPT, value);
        }
        Accept::of(&headers).choose(&OFFERED)
    }

    #[test]
    fn json_unless_csv_is_preferred() {
        let json = Some("application/json");
        assert_eq!(choose(&[]), json);
        for accept in [
            "*/*",
            "application/json",
            "text/csv, application/json",
            "text/csv;q=0.9, application/json",
            "application/*, text/csv;q=0.5",
            "application/json; charset=utf-8, text/csv;q=0.999",
            "nonsense, application/json",
            "*/*;q=0.1",
        ] {
            assert_eq!(choose(&[accept]), json, "{accept}");
        }
    }

    #[test]
    fn csv_where_it_is_preferred() {
        let csv = Some("text/csv");
        for accept in [
            "text/csv",
            "TEXT/CSV",
            "text/csv; charset=utf-8",
            "text/*",
            "text/csv, */*;q=0.1",
            "application/json;q=0.5, text/csv;q=0.51",
            "application/json;q=0, */*",
        ] {
            assert_eq!(choose(&[accept]), csv, "{accept}");
        }
        assert_eq!(choose(&["application/json;q=0.2", "text/csv"]), csv);
    }

    #[test]
    fn nothing_where_nothing_is_acceptable() {
        for accept in [
            "image/png",
            "text/html",
            "*/*;q=0",
            "text/csv;q=0, text/*;q=0",
        ] {
            assert_eq!(choose(&[accept]), None, "{accept}");
        }
    }

    #[test]
    fn weights_have_three_digits() {
        assert_eq!(weight("1"), Some(1_000));
        assert_eq!(weight("1.000"), Some(1_000));
        assert_eq!(weight("0.05"), Some(50));
        assert_eq!(weight("0"), Some(0));
        for wrong in ["1.001", "2", "0.1234", "-1", ".5", "0.x", ""] {
            assert_eq!(weight(wrong), None, "{wrong}");
        }
    }
}
