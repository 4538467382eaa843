//! The query string, read strictly: every parameter is known, stands once and has a value that fits.
//!
//! Knows how parameters are written, not which of them there are. All faults are reported at once.

use waybill_report::query::Fault;

use crate::problem::Problem;

/// The parameters of one request.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pairs: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl Parameters {
    /// Reads a query string. `known` are the parameters that the operation has.
    pub(crate) fn read(query: Option<&str>, known: &[&str]) -> Self {
        let mut parameters = Self::default();
        for pair in query
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (Some(name), Some(value)) = (decoded(name), decoded(value)) else {
                let name = decoded(name).unwrap_or_default();
                parameters.fault(&name, "not percent-encoded UTF-8");
                continue;
            };
            if !known.contains(&name.as_str()) {
                let detail = format!("unknown parameter; expected {}", known.join(" "));
                parameters.fault(&name, detail);
            } else if parameters.pairs.iter().any(|(earlier, _)| *earlier == name) {
                parameters.fault(&name, "stands more than once");
            } else {
                parameters.pairs.push((name, value));
            }
        }
        parameters
    }

    /// Takes a parameter's value, read by `read`; `expected` is what the client is told if that fails.
    pub(crate) fn take<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let (_, value) = self.pairs.iter().find(|(stated, _)| stated == name)?;
        let read = read(value);
        if read.is_none() {
            self.fault(name, expected);
        }
        read
    }

    /// Ends the reading.
    ///
    /// # Errors
    /// Every fault that was found.
    pub(crate) fn finish(self) -> Result<(), Problem> {
        if self.faults.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid(self.faults))
        }
    }

    fn fault(&mut self, name: &str, detail: impl Into<String>) {
        let short: String = name.chars().take(64).collect();
        self.faults.push(Problem::parameter(&short, detail));
    }
}

/// Undoes form encoding; `None` when it is broken or not UTF-8. By hand: the crates leave broken encoding as it is.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
                let (high, low) = (digit(rest.next())?, digit(rest.next())?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointers(parameters: &Parameters) -> Vec<&str> {
        let faults = parameters.faults.iter();
        faults.map(|fault| fault.pointer.as_str()).collect()
    }

    #[test]
    fn values_are_decoded() {
        let mut parameters = Parameters::read(Some("a=x%20y+z&b=%C3%A9&&c"), &["a", "b", "c"]);
        let mut text = |name| parameters.take(name, "text", |value| Some(value.to_owned()));
        assert_eq!(text("a").as_deref(), Some("x y z"));
        assert_eq!(text("b").as_deref(), Some("é"));
        assert_eq!(text("c").as_deref(), Some(""));
        assert_eq!(text("d"), None);
        assert!(parameters.finish().is_ok());
    }

    #[test]
    fn every_fault_is_found() {
        let query = "limit=x&status=a&status=b&nope=1&bad=%FF&half=%4&a/b=1";
        let mut parameters = Parameters::read(Some(query), &["limit", "status"]);
        let limit: Option<u32> = parameters.take("limit", "a number", |value| value.parse().ok());
        assert_eq!(limit, None);
        assert_eq!(
            pointers(&parameters),
            ["status", "nope", "bad", "half", "a~1b", "limit"]
                .map(|name| format!("/query-parameters/{name}"))
        );
        assert!(parameters.finish().is_err());
    }
}
