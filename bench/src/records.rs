//! Generates the records that are imported: the same in every run, of words, so that they compress like speech.

use std::sync::LazyLock;

use serde_json::{Value, json};

/// Pseudo-random numbers, the same in every run (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }
}

/// Generates the record at a position, with a transcript of that many bytes.
///
/// The external id has 16 random hex digits: vendors' ids seldom come in order, and random ones are the harder case for
/// the dedup index.
pub fn record(position: usize, transcript: usize) -> Value {
    let mut random = Random((position as u64) << 32 | transcript as u64);
    let external_id = format!("{:016x}", random.next());
    let (day, hour, minute) = (1 + random.below(28), 8 + random.below(10), random.below(60));
    json!({
        "external_id": external_id,
        "source_app": "fathom",
        "title": format!("{} {}", word(&mut random), word(&mut random)),
        "full_transcript": speech(&mut random, transcript),
        "recording_start_time": format!("2026-01-{day:02}T{hour:02}:{minute:02}:00Z"),
        "duration": 600 + random.below(3000),
        "source_metadata": {"share_url": format!("https://fathom.example/share/{external_id}"), "recorded_by": "Ann"},
    })
}

fn speech(random: &mut Random, length: usize) -> String {
    let mut speech = String::with_capacity(length + 100);
    while speech.len() < length {
        speech.push_str(SPEAKERS[random.below(SPEAKERS.len())]);
        speech.push(':');
        for _ in 0..6 + random.below(14) {
            speech.push(' ');
            speech.push_str(word(random));
        }
        speech.push_str(".\n");
    }
    speech.truncate(length);
    speech
}

/// Picks a word. The first words of the list are picked more often, as in speech.
fn word(random: &mut Random) -> &'static str {
    let [first, second] = [random.below(WORDS.len()), random.below(WORDS.len())];
    WORDS[first * second / WORDS.len()]
}

const SPEAKERS: [&str; 4] = ["Ann", "Ben", "Cara", "Emeka"];

/// The most frequent words come first.
static WORDS: LazyLock<Vec<&str>> = LazyLock::new(|| include_str!("words.txt").split_whitespace().collect());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_depends_on_its_position_alone() {
        assert_eq!(record(7, 2000), record(7, 2000));
        assert_ne!(record(7, 2000)["external_id"], record(8, 2000)["external_id"]);
        assert_ne!(record(7, 2000)["full_transcript"], record(8, 2000)["full_transcript"]);
    }

    #[test]
    fn a_transcript_has_exactly_the_length_asked_for() {
        assert_eq!(record(1, 50_000)["full_transcript"].as_str().unwrap().len(), 50_000);
    }
}
