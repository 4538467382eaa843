//! From record batches to the bytes of a file.
//!
//! An encoder knows its format and nothing of where batches come from or where bytes go. It appends
//! to a buffer that the caller owns, so that one buffer serves a whole export. The formats are one
//! table: whatever has to know something of a format reads its row.

mod cells;
pub mod csv;
mod encoder;
mod float;
pub mod json;
mod json_rows;
pub mod ndjson;
#[cfg(test)]
mod sample;
mod slices;
mod temporal;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use self::encoder::{
    EncodeError, Encoder, FileContext, FormatOptions, FormatSpec, OptionFault, Trailer,
};
pub use self::slices::slices;

/// Makes [`Format`] and [`FileFormat`] of the table of formats.
macro_rules! formats {
    ($($(#[$about:meta])* $format:ident: $options:ty,)+) => {
        /// A file format of an export.
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema,
        )]
        #[serde(rename_all = "snake_case")]
        pub enum Format {
            $($(#[$about])* $format,)+
        }

        impl Format {
            /// Every format that can be asked for.
            pub const ALL: &[Self] = &[$(Self::$format),+];

            /// Returns the format's row of the table.
            #[must_use]
            pub fn spec(self) -> &'static FormatSpec {
                match self {
                    $(Self::$format => const { &<$options>::SPEC },)+
                }
            }
        }

        /// A file format, and the options that a file of it is written with.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FileFormat {
            $(
                #[doc = concat!("[`Format::", stringify!($format), "`]")]
                $format($options),
            )+
        }

        impl From<Format> for FileFormat {
            /// Returns the format with every option at its default.
            fn from(format: Format) -> Self {
                match format {
                    $(Format::$format => Self::$format(<$options>::default()),)+
                }
            }
        }

        impl FileFormat {
            /// Reads the `options` member of a request for a file of this format.
            ///
            /// # Errors
            /// Every member at fault.
            pub fn parse(
                format: Format,
                members: &Map<String, Value>,
            ) -> Result<Self, Vec<OptionFault>> {
                Ok(match format {
                    $(Format::$format => Self::$format(<$options>::parse(members)?),)+
                })
            }

            /// Returns the format without its options.
            #[must_use]
            pub fn format(&self) -> Format {
                match self {
                    $(Self::$format(_) => Format::$format,)+
                }
            }

            /// Returns the lowest version of [`ReportSpec`](crate::spec::ReportSpec) whose programs write such
            /// a file.
            #[must_use]
            pub fn version(&self) -> i32 {
                match self {
                    $(Self::$format(options) => options.version(),)+
                }
            }

            /// Makes the encoder of one file.
            #[must_use]
            pub fn encoder(&self, file: &FileContext<'_>) -> Box<dyn Encoder> {
                match self {
                    $(Self::$format(options) => options.encoder(file),)+
                }
            }
        }

        /// The newest version of [`ReportSpec`](crate::spec::ReportSpec) that a format or an option of it needs.
        pub(crate) const NEWEST_VERSION: i32 = newest(&[$(<$options>::NEWEST),+]);
    };
}

formats! {
    /// RFC 4180 with a header row; see [`csv::CsvEncoder`].
    #[default]
    Csv: csv::CsvOptions,
    /// One JSON document, the result of the report; see [`json::JsonEncoder`].
    Json: json::JsonOptions,
    /// One JSON object a line; see [`ndjson::NdjsonEncoder`].
    Ndjson: ndjson::NdjsonOptions,
}

impl Format {
    /// Returns the format of this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|format| format.name() == name)
    }

    /// Returns the name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// Returns the media type as it stands in an Export or a `ReportExport`.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        self.spec().media_type
    }

    /// Returns the media type as an HTTP header or an object's metadata.
    #[must_use]
    pub fn content_type_header(self) -> &'static str {
        self.spec().media_type_header
    }
}

const fn newest(versions: &[i32]) -> i32 {
    let (mut newest, mut index) = (0, 0);
    while index < versions.len() {
        if versions[index] > newest {
            newest = versions[index];
        }
        index += 1;
    }
    newest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands on the wire is derived for the enum and written in the table: they are one name.
    #[test]
    fn a_format_is_called_the_same_everywhere() {
        for format in Format::ALL.iter().copied() {
            let name = Value::from(format.name());
            assert_eq!(serde_json::to_value(format).ok(), Some(name.clone()));
            assert_eq!(serde_json::from_value(name).ok(), Some(format));
            assert_eq!(Format::from_name(format.name()), Some(format));
            assert_eq!(FileFormat::from(format).format(), format);
            let twins = |other: &&Format| {
                let (spec, other) = (format.spec(), other.spec());
                spec.name == other.name || spec.media_type == other.media_type
            };
            assert_eq!(Format::ALL.iter().filter(twins).count(), 1, "{format:?}");
        }
        assert_eq!(Format::from_name("pdf"), None);
    }

    #[test]
    fn options_at_their_defaults_are_not_stored_and_unknown_ones_are_refused() {
        for format in Format::ALL.iter().copied() {
            let file = FileFormat::from(format);
            assert_eq!(file.version(), format.spec().since);
            let stored = serde_json::json!({ format.name(): {} });
            assert_eq!(serde_json::to_value(&file).ok(), Some(stored));
            let newer = serde_json::json!({ format.name(): { "of_a_newer_program": 1 } });
            assert!(serde_json::from_value::<FileFormat>(newer).is_err());
            let asked = serde_json::json!({ "nope": 1, "neither": 2 });
            let faults = FileFormat::parse(format, asked.as_object().expect("an object"));
            let faults = faults.expect_err("unknown options");
            let names: Vec<&str> = faults.iter().map(|fault| fault.name.as_str()).collect();
            assert_eq!(names, ["nope", "neither"]);
        }
    }
}
