//! What is found afterwards: by the database, and by what the jobs themselves wrote.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jobs::BoxError;
use sqlx::PgPool;

/// What a node wrote: for each thing how often it was begun and ended.
#[derive(Debug, Default)]
struct Written {
    begun: BTreeMap<String, u32>,
    ended: BTreeMap<String, u32>,
}

impl Written {
    fn read(path: &Path) -> std::io::Result<Self> {
        let mut written = Self::default();
        for line in std::fs::read_to_string(path)?.lines() {
            let of = match line.split_once(' ') {
                Some(("begin", what)) => written.begun.entry(what.to_owned()),
                Some(("end", what)) => written.ended.entry(what.to_owned()),
                _ => continue,
            };
            *of.or_default() += 1;
        }
        Ok(written)
    }
}

/// Looks, prints what it sees, and answers whether everything is as it should be.
pub(crate) async fn verdict(
    pool: &PgPool,
    accepted: &BTreeSet<u32>,
    killed: &Path,
    lived: &Path,
) -> Result<bool, BoxError> {
    let (killed, lived) = (Written::read(killed)?, Written::read(lived)?);
    let mut well = true;
    let mut check = |what: &str, found: String, is_well: bool| {
        well &= is_well;
        println!("  {} {what}: {found}", if is_well { "ok    " } else { "WRONG " });
    };

    println!("\nby the database:");
    let orders: Vec<(String, String)> =
        sqlx::query_as("select args, state from jobs.run where job = 'deliver'").fetch_all(pool).await?;
    let succeeded: BTreeSet<u32> = orders
        .iter()
        .filter(|(_, state)| state == "succeeded")
        .filter_map(|(args, _)| args.strip_prefix("{\"order\":")?.strip_suffix('}')?.parse().ok())
        .collect();
    let lost = accepted.difference(&succeeded).count();
    check(
        "orders that were accepted and are not delivered",
        format!("{lost} of {}", accepted.len()),
        lost == 0 && !accepted.is_empty(),
    );
    let slots: Vec<i64> = sqlx::query_scalar(
        "select (extract(epoch from slot) * 1000000)::bigint from jobs.run where job = 'tick' order by slot",
    )
    .fetch_all(pool)
    .await?;
    let gaps = slots.windows(2).filter(|pair| pair[1] - pair[0] != 1_000_000).count();
    check(
        "slots that fired twice or were left out",
        format!("{gaps} of {}", slots.len()),
        gaps == 0 && slots.len() > 5,
    );
    let entered: i64 = sqlx::query_scalar(
        "select coalesce(sum(count), 0)::bigint from jobs.ledger where job = 'tick' and reason = 'ran'",
    )
    .fetch_one(pool)
    .await?;
    check("slots in the ledger as ran", entered.to_string(), usize::try_from(entered) == Ok(slots.len()));
    let rescued: i64 =
        sqlx::query_scalar("select count(*) from jobs.run where rescues > 0").fetch_one(pool).await?;
    check("runs that were taken over from the killed node", rescued.to_string(), true);

    println!("by what the jobs wrote:");
    let wanted = accepted.iter().map(|order| format!("order {order}"));
    let wanted: Vec<_> = wanted.chain(slots.iter().map(|slot| format!("slot {slot}"))).collect();
    let ended = |of: &Written, what: &String| of.ended.get(what).copied().unwrap_or(0);
    let undone = wanted.iter().filter(|what| ended(&killed, what) + ended(&lived, what) == 0).count();
    check("orders and slots that nobody has done", format!("{undone} of {}", wanted.len()), undone == 0);
    // The killed node may have done one whose end it could not tell any more. Nothing else repeats anything.
    let twice = lived.begun.values().chain(killed.begun.values()).filter(|count| **count > 1).count();
    check("done twice by one node", twice.to_string(), twice == 0);
    let again: Vec<_> = killed.begun.keys().filter(|what| lived.begun.contains_key(*what)).collect();
    let unexplained = i64::try_from(again.len())? > rescued;
    check("begun again by the other node, having been taken over", again.len().to_string(), !unexplained);
    let share = |of: &Written| of.ended.len();
    println!("  the killed node did {}, the other {}", share(&killed), share(&lived));
    Ok(well)
}
