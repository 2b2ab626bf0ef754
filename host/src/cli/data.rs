//! `niwaki data list` and `niwaki data get`: which data sets have a name, and fetching them.

use super::{CliError, print, print_json, progress::Progress};
use crate::data::{
    get::{Placed, get},
    graph,
    known::{self, KNOWN, Kind, Known},
};
use clap::{Args, Subcommand};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum DataCommand {
    /// The data sets that recipes can name, their terms, and where they are
    List(ListArgs),
    /// Fetch a data set, check it, and keep it where recipes find it
    Get(GetArgs),
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    cache: CacheArg,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct GetArgs {
    /// A name of `niwaki data list`
    name: String,
    /// A folder that has the files already, packed or not: they are checked and linked; nothing is downloaded
    #[arg(long, value_name = "DIR")]
    from: Option<PathBuf>,
    #[command(flatten)]
    cache: CacheArg,
    /// Print one JSON object and nothing else on standard output
    #[arg(long)]
    json: bool,
}

/// `--cache`
#[derive(Debug, Args)]
struct CacheArg {
    /// Where data sets are kept, a folder each [default: NIWAKI_DATA, else niwaki/data in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl CacheArg {
    fn folder(self) -> Option<PathBuf> {
        self.cache.or_else(known::cache)
    }
}

pub(super) fn data(command: DataCommand) -> Result<(), CliError> {
    match command {
        DataCommand::List(args) => list(args),
        DataCommand::Get(args) => fetch(args),
    }
}

fn list(args: ListArgs) -> Result<(), CliError> {
    let cache = args.cache.folder();
    let dir_of = |set: &Known| cache.as_deref().and_then(|cache| known::cached(set, cache));
    if args.json {
        let sets = KNOWN.iter().map(|set| {
            json!({
                "name": set.name,
                "about": set.about,
                "licence": set.licence,
                "homepage": set.homepage,
                "kind": match set.kind {
                    Kind::Images => "images",
                    Kind::Graph => "graph",
                },
                "bundled": set.is_bundled() && set.name != graph::OWN,
                "dir": if set.is_bundled() { None } else { dir_of(set) },
            })
        });
        return print_json(&json!({ "cache": cache, "sets": sets.collect::<Vec<_>>() }));
    }
    for set in KNOWN {
        let place = match dir_of(set) {
            _ if set.name == graph::OWN => "a folder of yours".into(),
            _ if set.is_bundled() => "bundled".into(),
            Some(dir) => dir.display().to_string(),
            None => format!("not here: niwaki data get {}", set.name),
        };
        let Known { name, about, licence, homepage, .. } = set;
        print(&format!("{name:<14} {about}\n{:14} {licence}, {homepage}\n{:14} {place}\n", "", ""))?;
    }
    Ok(())
}

fn fetch(args: GetArgs) -> Result<(), CliError> {
    let set = known::by_name(&args.name)?;
    if set.is_bundled() {
        return match args.json {
            true => print_json(&json!({ "name": set.name, "dir": null, "files": [] })),
            false => print(&format!("{} is bundled: nothing to fetch\n", set.name)),
        };
    }
    let cache = args.cache.folder().ok_or_else(|| {
        CliError::Input("no folder for caches on this system: name one with `--cache DIR` or NIWAKI_DATA".into())
    })?;
    let mut progress = Progress::new(false);
    let placed = get(set, args.from.as_deref(), &cache, &mut |file| progress.download(file));
    progress.finish();
    let placed = placed?;
    let dir = cache.join(set.name);
    if args.json {
        let files = placed.iter().map(|Placed { path, how }| json!({ "path": path, "how": how.word() }));
        let files: Vec<_> = files.collect();
        return print_json(&json!({ "name": set.name, "dir": dir, "files": files }));
    }
    for Placed { path, how } in &placed {
        print(&format!("{:<10} {}\n", how.word(), path.display()))?;
    }
    let mut text = format!("{} ({}), checked: {}\n", set.name, set.licence, dir.display());
    if known::cache().is_none_or(|usual| usual != cache) {
        text +=
            &format!("recipes find it with `[data] dir = \"{}\"` or NIWAKI_DATA={}\n", dir.display(), cache.display());
    }
    print(&text)
}
