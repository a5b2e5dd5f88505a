//! Answers one kind of question so many times in memory, for `instructions.sh` to count the instructions of.
//!
//! Arguments: the number of nodes, the kind of question, the number of queries. Without a kind, the kinds are printed.

#![expect(clippy::print_stdout, reason = "what it prints is what it is for")]

mod fixture;

use std::env;
use std::hint::black_box;

fn main() -> Result<(), &'static str> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [nodes, kind, count] = arguments.as_slice() else {
        fixture::QUESTIONS.iter().for_each(|question| println!("{question}"));
        return Ok(());
    };
    let question = fixture::QUESTIONS.iter().find(|question| question.to_string() == *kind).ok_or("unknown kind")?;
    let count: u32 = count.parse().map_err(|_| "the number of queries is not a number")?;
    let mut responder = fixture::Responder::new(nodes.parse().map_err(|_| "the number of nodes is not a number")?);
    let query = question.query();
    for _ in 0..count {
        black_box(responder.reply(black_box(&query)));
    }
    println!("reply: {} octets", responder.reply(&query).len());
    Ok(())
}
