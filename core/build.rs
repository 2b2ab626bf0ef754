//! Says whether the target has Arm's DSP instructions: stable Rust does not show that target feature to `cfg`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(arm_dsp)");
    let target = std::env::var("TARGET").unwrap_or_default();
    let asked = std::env::var_os("CARGO_FEATURE_DSP").is_some();
    if target.starts_with("thumbv7em") || (asked && target.starts_with("thumbv8m.main")) {
        println!("cargo::rustc-cfg=arm_dsp");
    }
}
