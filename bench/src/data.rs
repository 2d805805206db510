//! The records that are imported: made up, but of words, so that they compress like talk, and the same in every run.

use serde_json::{Value, json};

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.roll() % limit as u64) as usize
    }
}

/// The record at a position, with a transcript of so many bytes.
///
/// The external id is of 16 random hex digits: vendors' ids seldom come in order, and random ones are the harder case
/// for the dedup index.
pub fn record(position: usize, transcript: usize) -> Value {
    let mut dice = Dice((position as u64) << 32 | transcript as u64);
    let external_id = format!("{:016x}", dice.roll());
    let (day, hour, minute) = (1 + dice.below(28), 8 + dice.below(10), dice.below(60));
    json!({
        "external_id": external_id,
        "source_app": "fathom",
        "title": format!("{} {}", word(&mut dice), word(&mut dice)),
        "full_transcript": talk(&mut dice, transcript),
        "recording_start_time": format!("2026-01-{day:02}T{hour:02}:{minute:02}:00Z"),
        "duration": 600 + dice.below(3000),
        "source_metadata": {"share_url": format!("https://fathom.example/share/{external_id}"), "recorded_by": "Ann"},
    })
}

fn talk(dice: &mut Dice, length: usize) -> String {
    let mut talk = String::with_capacity(length + 100);
    while talk.len() < length {
        talk.push_str(SPEAKERS[dice.below(SPEAKERS.len())]);
        talk.push(':');
        for _ in 0..6 + dice.below(14) {
            talk.push(' ');
            talk.push_str(word(dice));
        }
        talk.push_str(".\n");
    }
    talk.truncate(length);
    talk
}

/// Frequent words come first in the list and are taken more often, as in speech.
fn word(dice: &mut Dice) -> &'static str {
    let [first, second] = [dice.below(WORDS.len()), dice.below(WORDS.len())];
    WORDS[first * second / WORDS.len()]
}

const SPEAKERS: [&str; 4] = ["Ann", "Ben", "Cara", "Emeka"];

const WORDS: [&str; 195] = [
    "the",
    "to",
    "and",
    "we",
    "of",
    "that",
    "it",
    "is",
    "in",
    "you",
    "for",
    "on",
    "so",
    "this",
    "have",
    "with",
    "be",
    "they",
    "are",
    "but",
    "I",
    "what",
    "not",
    "do",
    "can",
    "was",
    "as",
    "at",
    "just",
    "about",
    "there",
    "if",
    "our",
    "from",
    "or",
    "will",
    "one",
    "like",
    "all",
    "would",
    "up",
    "think",
    "know",
    "an",
    "out",
    "them",
    "get",
    "how",
    "when",
    "more",
    "some",
    "which",
    "time",
    "by",
    "then",
    "need",
    "who",
    "had",
    "now",
    "want",
    "really",
    "people",
    "could",
    "because",
    "well",
    "also",
    "make",
    "right",
    "see",
    "good",
    "going",
    "team",
    "week",
    "next",
    "customer",
    "call",
    "product",
    "price",
    "meeting",
    "question",
    "month",
    "sales",
    "plan",
    "contract",
    "report",
    "number",
    "quarter",
    "feature",
    "release",
    "budget",
    "market",
    "project",
    "update",
    "issue",
    "support",
    "account",
    "deal",
    "partner",
    "change",
    "data",
    "design",
    "review",
    "schedule",
    "launch",
    "version",
    "status",
    "process",
    "target",
    "revenue",
    "forecast",
    "pipeline",
    "invoice",
    "vendor",
    "license",
    "security",
    "onboarding",
    "training",
    "renewal",
    "discount",
    "proposal",
    "feedback",
    "roadmap",
    "priority",
    "deadline",
    "milestone",
    "integration",
    "migration",
    "dashboard",
    "campaign",
    "webinar",
    "conversion",
    "churn",
    "segment",
    "audience",
    "channel",
    "engineer",
    "manager",
    "director",
    "founder",
    "investor",
    "agreement",
    "compliance",
    "audit",
    "policy",
    "region",
    "Europe",
    "office",
    "remote",
    "travel",
    "interview",
    "candidate",
    "hiring",
    "salary",
    "benefits",
    "holiday",
    "birthday",
    "coffee",
    "lunch",
    "monday",
    "tuesday",
    "thursday",
    "friday",
    "january",
    "april",
    "september",
    "october",
    "morning",
    "afternoon",
    "yesterday",
    "tomorrow",
    "actually",
    "probably",
    "definitely",
    "basically",
    "exactly",
    "honestly",
    "interesting",
    "important",
    "difficult",
    "possible",
    "available",
    "different",
    "complete",
    "together",
    "between",
    "without",
    "already",
    "usually",
    "sometimes",
    "everyone",
    "something",
    "nothing",
    "anything",
    "whatever",
    "maybe",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_the_same_in_every_run_and_differ_from_each_other() {
        assert_eq!(record(7, 2000), record(7, 2000));
        assert_ne!(record(7, 2000)["external_id"], record(8, 2000)["external_id"]);
        assert_ne!(record(7, 2000)["full_transcript"], record(8, 2000)["full_transcript"]);
    }

    #[test]
    fn a_transcript_has_the_length_asked_for() {
        assert_eq!(record(1, 50_000)["full_transcript"].as_str().unwrap().len(), 50_000);
    }
}
