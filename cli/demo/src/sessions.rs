//! One session of the demo, from its organisation and number.
//!
//! Owns what values look like, the awkward ones above all. It knows no database.

use chrono::{DateTime, SecondsFormat};
use uuid::{Builder, Uuid};

/// 2026-04-24T00:00:00Z in microseconds; no session starts earlier.
const FIRST_START: u64 = 1_776_988_800_000_000;

/// Thirty days in microseconds; all sessions start within.
const SPAN: u64 = 30 * 24 * 60 * 60 * 1_000_000;

const AGENTS: [&str; 7] = [
    "code-review",
    "data-quality",
    "incident-triage",
    "invoice-matching",
    "release-notes",
    "support-replies",
    "übersetzung",
];

const MODELS: [&str; 4] = ["atlas-large", "atlas-small", "boreal-2", "cirrus-mini"];

/// `{}` becomes a number. Whatever makes a file format stumble is among them.
const TITLES: [&str; 20] = [
    "Review pull request {}",
    "Triage incident {}",
    "Answer ticket {}",
    "Summarise run {}",
    "Match invoice {} with its order",
    "Release notes, version {}",
    "Rename \"draft {}\" to \"final\"",
    "Compare \"a\", 'b', and c: case {}",
    "First line of {}\nsecond line",
    "Windows wrote {}\r\nthis",
    "=SUM(A1:A{})",
    "+{} is not a formula",
    "-{} degrees",
    "@channel please look at {}",
    "\tindented {}",
    "Übersetzung {} prüfen – größer, schöner",
    "議事録{}を要約する",
    "Résumé n° {} à vérifier",
    "Ship it 🚀 #{}",
    "50 % off; back\\slash, {}",
];

/// A row of the demo. Times are RFC 3339 in UTC with six digits of the second: SQLite compares
/// texts, so all of them have one length.
pub(super) struct Session {
    pub(super) id: Uuid,
    pub(super) status: &'static str,
    pub(super) agent: &'static str,
    pub(super) model: &'static str,
    pub(super) started_at: String,
    /// `None` while the session is running, as is the duration.
    pub(super) finished_at: Option<String>,
    pub(super) duration_ms: Option<i64>,
    pub(super) input_tokens: i64,
    pub(super) output_tokens: i64,
    /// Millionths of a dollar.
    pub(super) cost_micros: i64,
    pub(super) title: Option<String>,
    pub(super) updated_at: String,
}

impl Session {
    /// The session with this number (from 0) of `count` in an organisation.
    pub(super) fn of(organisation: &str, number: u64, count: u64) -> Self {
        let mut dice = Dice::of(organisation, number);
        let start = start(&mut dice, number, count);
        let status = match dice.below(100) {
            0..78 => "completed",
            78..90 => "failed",
            90..96 => "cancelled",
            _ => "running",
        };
        // Mostly minutes, at most two hours: the product of two dice leans to the short side.
        let elapsed_ms = 200 + dice.below(2_680) * dice.below(2_680);
        let end = start + elapsed_ms * 1_000;
        let ended = status != "running";
        let input_tokens = 50 + dice.below(60_000);
        let output_tokens = dice.below(9_000);
        // An edit of the title a while after the end changes the row too.
        let edited = match dice.below(8) {
            0 => dice.below(3_600_000_000),
            _ => 0,
        };
        Self {
            id: id(&mut dice, start),
            status,
            agent: dice.pick(&AGENTS),
            model: dice.pick(&MODELS),
            started_at: rfc3339(start),
            finished_at: ended.then(|| rfc3339(end)),
            duration_ms: ended.then(|| signed(elapsed_ms)),
            input_tokens: signed(input_tokens),
            output_tokens: signed(output_tokens),
            cost_micros: signed(input_tokens * 3 + output_tokens * 15),
            title: title(&mut dice),
            updated_at: rfc3339(end + edited),
        }
    }
}

/// Somewhere in the session's own part of the span, so that starts are spread evenly and still
/// irregular. Half are on the millisecond and some on the second, as real clocks have it.
fn start(dice: &mut Dice, number: u64, count: u64) -> u64 {
    let edge = |number: u64| {
        let offset = u128::from(SPAN) * u128::from(number) / u128::from(count);
        FIRST_START + u64::try_from(offset).unwrap_or(SPAN)
    };
    let (from, to) = (edge(number), edge(number + 1));
    let exact = from + dice.below((to - from).max(1));
    let unit = match dice.below(8) {
        0 | 1 => 1_000_000,
        2..6 => 1_000,
        _ => 1,
    };
    exact - exact % unit
}

/// A version 7 UUID of the start.
fn id(dice: &mut Dice, start: u64) -> Uuid {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&dice.roll().to_be_bytes());
    random[8..].copy_from_slice(&dice.roll().to_be_bytes()[..2]);
    Builder::from_unix_timestamp_millis(start / 1_000, &random).into_uuid()
}

fn title(dice: &mut Dice) -> Option<String> {
    match dice.below(40) {
        0 => None,
        1 => Some(String::new()),
        _ => {
            let number = dice.below(100_000).to_string();
            Some(dice.pick(&TITLES).replace("{}", &number))
        }
    }
}

fn rfc3339(micros: u64) -> String {
    let instant = DateTime::from_timestamp_micros(signed(micros)).unwrap_or_default();
    instant.to_rfc3339_opts(SecondsFormat::Micros, true)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// `SplitMix64`: a counter put through a hash. No state is shared between sessions, and unlike the
/// generators of a library it never changes.
struct Dice(u64);

impl Dice {
    fn of(organisation: &str, number: u64) -> Self {
        // FNV-1a, only to tell the organisations apart.
        let seed = organisation.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| {
            (hash ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        let mut dice = Self(seed ^ number);
        // Neighbours start with neighbouring counters; the hash of one is a start of its own.
        dice.0 = dice.roll();
        dice
    }

    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to `end`, which it excludes.
    fn below(&mut self, end: u64) -> u64 {
        self.roll() % end
    }

    fn pick(&mut self, from: &[&'static str]) -> &'static str {
        let index = self.below(from.len() as u64);
        from[usize::try_from(index).unwrap_or_default()]
    }
}
