//! `cargo run --release -p niwaki-tests --bin prox [--repeats 9]`: time and visits per group of the solvers of
//! `niwaki_core::prox::wgsef` from a thousand to a million groups.
//!
//! A benchmark, not a test: it prints, and what it prints depends on the machine. It shows that the time for each group does
//! not grow with their number.

use niwaki_core::prox::wgsef::{Ramp, Solver, Weights, Wgsef, points_len, ramps_len};
use niwaki_core::real::Real;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};
use std::{hint::black_box, process::ExitCode, time::Instant};

const USAGE: &str = "usage: prox [--repeats N]";

/// Numbers of groups; the budget is the share `KEEP` of them.
const GROUPS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
const KEEP: f64 = 0.2;
const LAMBDA: f64 = 0.3;

/// Groups that one measurement solves in all, so that small problems are not below the clock's resolution.
const GROUPS_A_MEASUREMENT: usize = 1_000_000;

#[derive(Clone, Copy)]
enum Method {
    Bisection,
    Sorting,
    Pivoting,
}

/// Norms and weights that every run repeats.
struct Family<T> {
    norms: Vec<T>,
    weights: Vec<T>,
}

impl<T: Real> Family<T> {
    /// Norms with tails like `1 / x²`, weights in `[0.5, 2)`.
    fn new(groups: usize) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(groups as u64);
        let mut uniform = || f64::from(random.next_u32()) / f64::from(u32::MAX);
        let norms = (0..groups).map(|_| T::from_f64(1.0 / (0.02 + uniform()))).collect();
        let weights = (0..groups).map(|_| T::from_f64(0.5 + 1.5 * uniform())).collect();
        Self { norms, weights }
    }
}

/// The time of one method on one problem.
struct Measured {
    /// Median over the repeats.
    ns: f64,
    /// Half the range between the quartiles, in percent of the median.
    spread: f64,
    visits: f64,
}

fn measure<T: Real + Default>(family: &Family<T>, method: Method, repeats: usize) -> Result<Measured, String> {
    let groups = family.norms.len();
    let k = (KEEP * groups as f64) as usize;
    let envelope = Wgsef::try_new(k, Weights::Each(&family.weights)).map_err(|error| error.to_string())?;
    let mut scales = vec![T::ZERO; groups];
    let (mut points, mut ramps) = (vec![T::ZERO; points_len(groups)], vec![Ramp::default(); ramps_len(groups)]);
    let (mut times, mut visits, mut runs) = (Vec::new(), 0, 0_usize);
    // The first measurement warms caches and clocks and does not count.
    for repeat in 0..=repeats {
        let start = Instant::now();
        for run in 0..GROUPS_A_MEASUREMENT / groups {
            let solver = match method {
                Method::Bisection => Solver::Bisection,
                Method::Sorting => Solver::Sorting { points: &mut points },
                Method::Pivoting => Solver::Pivoting { ramps: &mut ramps, seed: (repeat * 1000 + run) as u64 },
            };
            let search = envelope.prox_scales_by(solver, &family.norms, T::from_f64(LAMBDA), &mut scales);
            visits += search.map_err(|error| error.to_string())?.visits;
            runs += 1;
            black_box(&mut scales);
        }
        if repeat > 0 {
            times.push(start.elapsed().as_secs_f64() * 1e9 / GROUPS_A_MEASUREMENT as f64);
        }
    }
    times.sort_by(f64::total_cmp);
    let quantile = |q: f64| times[(q * (times.len() - 1) as f64).round() as usize];
    let ns = quantile(0.5);
    let spread = 50.0 * (quantile(0.75) - quantile(0.25)) / ns;
    Ok(Measured { ns, spread, visits: visits as f64 / (runs * groups) as f64 })
}

fn table<T: Real + Default>(name: &str, repeats: usize) -> Result<(), String> {
    println!("\n{name}: ns a group ± half the interquartile range (visits a group)");
    print!("{:>12}", "solver");
    GROUPS.iter().for_each(|groups| print!("{groups:>24}"));
    println!("{:>18}", "largest/smallest");
    let methods = [(Method::Bisection, "bisection"), (Method::Sorting, "sorting"), (Method::Pivoting, "pivoting")];
    for (method, name) in methods {
        print!("{name:>12}");
        let (mut least, mut most) = (f64::INFINITY, 0.0_f64);
        for groups in GROUPS {
            let Measured { ns, spread, visits } = measure(&Family::<T>::new(groups), method, repeats)?;
            print!("{:>24}", format!("{ns:.1} ± {spread:.0} % ({visits:.2})"));
            (least, most) = (least.min(ns), most.max(ns));
        }
        println!("{:>18.2}", most / least);
    }
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let repeats = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => Some(9),
        ["--repeats", n] => n.parse().ok().filter(|n| *n > 0),
        _ => None,
    };
    let Some(repeats) = repeats else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    println!(
        "budget {KEEP} of the groups, λ = {LAMBDA}, a weight each; median of {repeats} measurements of {GROUPS_A_MEASUREMENT} groups"
    );
    match table::<f32>("f32", repeats).and_then(|()| table::<f64>("f64", repeats)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
