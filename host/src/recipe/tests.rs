//! What a recipe may say, and how each mistake is answered.

use super::{
    Calibration, Compare, DEMO, GraphOptions, OptimizerName, Quantize, Recipe, Size, Sparsity, Target, Train,
    apply_set, fields::FIELDS,
};
use crate::sparsify::options::{Budget, Method, Unit};

const MINIMAL: &str = "[data]\nname = \"digits\"\n[model]\nzoo = \"small-cnn\"\n";

fn parse(text: &str) -> Result<Recipe, String> {
    Recipe::parse(text, "r.toml", &[]).map_err(|e| e.to_string())
}

/// The error of the minimal recipe with `more` below it, from line 5 on.
fn error(more: &str) -> String {
    parse(&format!("{MINIMAL}{more}")).unwrap_err()
}

fn set(assignment: &str) -> Result<Recipe, String> {
    Recipe::parse(DEMO, "demo", &[assignment.into()]).map_err(|e| e.to_string())
}

#[test]
fn only_data_and_model_have_no_default() {
    let recipe = parse(MINIMAL).unwrap();
    assert_eq!((recipe.train, recipe.sparsity), (Train::default(), Sparsity::default()));
    assert_eq!((recipe.quantize, recipe.target), (Quantize::default(), Target::default()));
    assert_eq!(
        parse("").unwrap_err(),
        "r.toml: `data.name` is missing; allowed: \"citeseer\", \"cora\", \"digits\", \"fashion-mnist\", \
         \"graph\", \"karate\", \"mnist\""
    );
    assert!(parse("data.name = \"digits\"").unwrap_err().starts_with("r.toml: `model.zoo` is missing"));
}

#[test]
fn a_recipe_as_used_reads_back_the_same() {
    for text in [MINIMAL, DEMO] {
        let recipe = parse(text).unwrap();
        let used = recipe.to_toml();
        assert_eq!(parse(&used).unwrap(), recipe, "{used}");
        assert_eq!(parse(&used).unwrap().to_toml(), used);
        assert!(used.contains("seed = 1\n") && used.contains("calibration = \"mse\"\n"), "{used}");
    }
    let odd = set("optimizer.lr=0.1234567890123456789").unwrap();
    assert_eq!(parse(&odd.to_toml()).unwrap(), odd);
}

#[test]
fn the_demo_recipe_says_what_it_does() {
    let recipe = parse(DEMO).unwrap();
    assert_eq!((recipe.data.name.as_str(), recipe.model.name().as_str()), ("digits", "small-cnn"));
    assert_eq!((recipe.sparsity.method, recipe.sparsity.keep), (Method::Wgsef, 0.6));
    assert_eq!(recipe.quantize.calibration, Calibration::Mse);
    assert_eq!(recipe.target.ram.map(Size::bytes), Some(64 * 1024));
}

#[test]
fn every_key_of_the_table_is_a_key_of_the_structs_and_back() {
    let mut full = parse(DEMO).unwrap();
    full.data.dir = Some("folder".into());
    full.model.import = Some("model.tflite".into());
    full.model.run = Some("runs/dense".into());
    full.sparsity.budget = Some(Budget { unit: Unit::Macs, limit: 0.5 });
    let graph = GraphOptions { keep_edges: Some(0.5), keep_weights: Some(0.5), ..GraphOptions::default() };
    full.graph = Some(graph);
    full.compare = Some(Compare::default());
    full.quantize.four_bits = vec!["conv1".into()];
    full.target.instructions = Some(1_000_000);
    let table: toml::Table = full.to_toml().parse().unwrap();
    let mut written = 0;
    for field in FIELDS {
        let value = table.get(field.section).and_then(|s| s.get(field.key));
        assert!(value.is_some_and(|v| field.rule.allows(v)), "{}.{}", field.section, field.key);
        for name in field.rule.names() {
            let recipe = set(&format!("{}.{}={name}", field.section, field.key));
            assert!(recipe.is_ok(), "{recipe:?}");
        }
        written += 1;
    }
    assert_eq!(written, table.values().map(|s| s.as_table().unwrap().len()).sum::<usize>());
}

#[test]
fn a_typo_in_a_key_suggests_the_nearest_with_line_and_column() {
    assert_eq!(
        error("[train]\n  epoch = 3\n"),
        "r.toml:6:3: unknown key in [train] `epoch` (did you mean `epochs`?); known: epochs, batch, seed, shift, flip"
    );
    assert!(error("[sparsity]\nmethod = \"wgsef\"\nkep = 0.5").contains("r.toml:7:1: "));
    assert!(error("[train]\nzzz = 1").contains("`zzz`; known: "), "nothing is near");
}

#[test]
fn a_typo_in_a_section_suggests_the_nearest() {
    let message = error("[optimiser]\nlr = 1.0");
    assert!(
        message
            .starts_with("r.toml:5:2: unknown section `optimiser` (did you mean `optimizer`?); known: data, model, ")
    );
    assert!(error("epochs = 3").contains("[model] `epochs`"), "a key belongs to the section above it");
}

#[test]
fn columns_count_characters() {
    let message = error("[train]\nbatch = 1 # é\n[data2]");
    assert!(message.starts_with("r.toml:7:2: "), "{message}");
    assert!(error("train = { seed = \"é\", epoch = 1 }").starts_with("r.toml:5:"));
}

#[test]
fn a_value_out_of_range_names_key_value_and_range() {
    let keep = error("[sparsity]\nmethod = \"wgsef\"\nkeep = 1.5");
    assert_eq!(keep, "r.toml:7:8: `sparsity.keep` is 1.5; allowed: a number above 0, at most 1");
    let epochs = error("[train]\nepochs = -1");
    assert_eq!(epochs, "r.toml:6:10: `train.epochs` is -1; allowed: a whole number from 0 to 1000000");
    assert!(error("[train]\nbatch = 0").contains("`train.batch` is 0; allowed: a whole number from 1 to 65536"));
    assert!(error("[train]\nseed = -1").contains("`train.seed` is -1; allowed: a whole number from 0 to 2^63 - 1"));
    for lr in ["nan", "inf", "-0.1", "0", "0.0"] {
        let message = error(&format!("[optimizer]\nlr = {lr}"));
        assert!(message.starts_with("r.toml:6:6: `optimizer.lr` is "), "{message}");
        assert!(message.ends_with("allowed: a number above 0"), "{message}");
    }
}

#[test]
fn a_value_of_the_wrong_type_names_the_right_one() {
    let message = error("[train]\nepochs = \"three\"");
    assert_eq!(message, "r.toml:6:10: `train.epochs` is \"three\"; allowed: a whole number from 0 to 1000000");
    assert!(error("[train]\nepochs = 2.5").contains("`train.epochs` is 2.5"));
    assert!(error("[target]\nchip = 4").contains("`target.chip` is 4; allowed: \"portable\", \"cortex-m3\""));
    assert!(parse(&format!("{MINIMAL}[optimizer]\nlr = 1")).unwrap().optimizer.lr == 1.0, "1 is a number too");
    assert!(error("[[train]]\nepochs = 2").contains("`train` is [{ epochs = 2 }]; allowed: a section"));
    assert!(parse("data = 3").unwrap_err().starts_with("r.toml:1:1: `data` is 3; allowed: a section"));
}

#[test]
fn an_unknown_name_suggests_the_nearest() {
    let message = error("[sparsity]\nmethod = \"wgsf\"");
    assert_eq!(
        message,
        "r.toml:6:10: `sparsity.method` is \"wgsf\" (did you mean `wgsef`?); allowed: \"none\", \"wgsef\", \
         \"magnitude\", \"group-lasso\", \"hspg\", \"sap\", \"rigl\", \"set\", \"rate-distortion\""
    );
    assert!(set("data.name=digts").unwrap_err().contains("(did you mean `digits`?)"));
    assert!(set("model.zoo=small_cnn").unwrap_err().contains("(did you mean `small-cnn`?)"));
}

#[test]
fn a_sparsity_section_must_name_its_method() {
    let message = error("[sparsity]\nkeep = 0.25");
    assert!(message.starts_with("r.toml: `sparsity.method` is missing; allowed: \"none\", \"wgsef\""), "{message}");
}

#[test]
fn every_method_can_be_named_in_a_recipe() {
    for (name, method) in Method::ALL {
        assert_eq!(set(&format!("sparsity.method={name}")).unwrap().sparsity.method, method);
    }
    let field = FIELDS.iter().find(|f| (f.section, f.key) == ("sparsity", "method")).unwrap();
    assert_eq!(field.rule.names(), Method::ALL.map(|(name, _)| name));
}

#[test]
fn a_budget_is_one_limit_in_a_known_unit() {
    let budget = |text: &str| set(&format!("sparsity.budget={text}")).map(|r| r.sparsity.budget.unwrap());
    assert_eq!(budget("{ instructions = 0.3 }"), Ok(Budget { unit: Unit::Instructions, limit: 0.3 }));
    assert_eq!(budget("{ macs = 300_000 }"), Ok(Budget { unit: Unit::Macs, limit: 300_000.0 }));
    for wrong in ["{ macs = 0 }", "{ cycles = 3 }", "{ macs = 1, bytes = 2 }", "{}", "0.3", "{ macs = nan }"] {
        let message = budget(wrong).unwrap_err();
        assert!(message.contains("`sparsity.budget` is ") && message.contains("{ instructions = N }"), "{message}");
    }
}

#[test]
fn a_comparison_has_lists_and_a_unit() {
    let recipe = parse(&format!("{MINIMAL}[compare]\nmethods = [\"wgsef\", \"set\"]\nkeeps = [0.25, 1]")).unwrap();
    let compare = recipe.compare.unwrap();
    assert_eq!((compare.methods, compare.keeps), (vec![Method::Wgsef, Method::Set], vec![0.25, 1.0]));
    assert_eq!((compare.seeds, compare.unit), (vec![1, 2, 3], Unit::Instructions));
    assert_eq!(Compare::default().methods.len(), Method::ALL.len() - 1);
    let message = error("[compare]\nmethods = [\"wgsef\", \"magnitud\"]");
    assert!(
        message.starts_with("r.toml:6:11: `compare.methods` is \"magnitud\" (did you mean `magnitude`?)"),
        "{message}"
    );
    for wrong in
        ["methods = [\"none\"]", "keeps = []", "keeps = [0.5, 0.5]", "keeps = [1.5]", "seeds = 3", "seeds = [-1]"]
    {
        assert!(error(&format!("[compare]\n{wrong}")).contains("`compare."), "{wrong}");
    }
}

#[test]
fn a_model_comes_from_one_place() {
    let none = parse("data.name = \"digits\"\n[model]").unwrap_err();
    assert!(none.starts_with("r.toml: `model.zoo` is missing; allowed: ") && none.contains("model.run"), "{none}");
    let two = error("import = \"a.tflite\"");
    assert!(two.contains("r.toml:3:2: `model` is not one network; allowed: one of zoo, import and run"), "{two}");
}

#[test]
fn text_that_is_not_toml_has_a_place() {
    assert!(error("[train]\nepochs = = 3").starts_with("r.toml:6:10: not TOML: "));
    assert!(error("[data]").starts_with("r.toml:5:"), "a section twice");
}

#[test]
fn set_overrides_with_toml_or_a_bare_word() {
    assert_eq!(set("train.epochs=3").unwrap().train.epochs, 3);
    assert_eq!(set(" optimizer.name = sgd ").unwrap().optimizer.name, OptimizerName::Sgd);
    assert_eq!(set("sparsity.method=\"none\"").unwrap().sparsity.method, Method::None);
    assert_eq!(set("target.ram=32K").unwrap().target.ram.map(Size::bytes), Some(32_768));
    assert_eq!(set("data.dir=2024").unwrap().data.dir, Some("2024".into()));
    let mut table = toml::Table::new();
    apply_set(&mut table, "optimizer.lr=1e-2").unwrap();
    assert_eq!(table.to_string(), "[optimizer]\nlr = 0.01\n");
}

#[test]
fn a_wrong_set_names_the_argument() {
    let message = set("train.epoch=3").unwrap_err();
    assert!(
        message.starts_with("--set train.epoch=3: unknown key in [train] `epoch` (did you mean `epochs`?)"),
        "{message}"
    );
    let message = set("sparsity.keep=1.5").unwrap_err();
    assert_eq!(message, "--set sparsity.keep=1.5: `sparsity.keep` is 1.5; allowed: a number above 0, at most 1");
    for malformed in ["train.epochs", "epochs=3", ""] {
        assert!(set(malformed).unwrap_err().contains("expected SECTION.KEY=VALUE"), "{malformed}");
    }
    assert!(set("train.epochs=3\nbatch = 4").is_err(), "one value only");
}

#[test]
fn weight_decay_depends_on_the_optimizer_unless_given() {
    let decay = |name: &str| parse(&format!("{MINIMAL}[optimizer]\nname = \"{name}\"")).unwrap().optimizer.weight_decay;
    assert_eq!((decay("adamw"), decay("adam"), decay("sgd")), (0.01, 0.0, 0.0));
    assert_eq!(set("optimizer.name=sgd").unwrap().optimizer.weight_decay, 0.01, "the demo gives it");
}

#[test]
fn sizes_count_in_1024s() {
    for (text, bytes, shown) in
        [("64K", 65_536, "64K"), ("1 MiB", 1 << 20, "1M"), ("1536", 1536, "1536"), ("3KB", 3072, "3K")]
    {
        let size: Size = text.parse().unwrap();
        assert_eq!((size.bytes(), size.to_string().as_str()), (bytes, shown), "{text}");
    }
    for wrong in ["", "K", "0", "-1K", "1.5K", "64X", "99999999999999999999", "18446744073709551615M"] {
        assert!(wrong.parse::<Size>().is_err(), "{wrong}");
    }
    let recipe = parse(&format!("{MINIMAL}[target]\nram = 65536\nflash = \"1M\"")).unwrap();
    assert_eq!(recipe.target.ram.map(Size::bytes), Some(65_536));
    assert!(error("[target]\nram = \"64Q\"").contains("`target.ram` is \"64Q\"; allowed: bytes, as in 65536"));
}

#[test]
fn the_range_of_weights_depends_on_their_bits_unless_given() {
    let of = |text: &str| parse(&format!("{MINIMAL}[quantize]\n{text}")).unwrap().quantize.weight_calibration;
    assert_eq!(of(""), Calibration::MinMax);
    assert_eq!(of("weights = \"int4\""), Calibration::Mse);
    assert_eq!(of("weights = \"codebook\""), Calibration::MinMax);
    assert_eq!(of("weights = \"int4\"\nweight_calibration = \"kl\""), Calibration::Kl);
}

#[test]
fn every_calibration_can_be_named_and_an_unknown_key_suggests_the_nearest() {
    for (name, calibration) in Calibration::ALL {
        assert_eq!(set(&format!("quantize.calibration={name}")).unwrap().quantize.calibration, calibration);
    }
    assert!(error("[quantize]\nqat_epoch = 3").contains("(did you mean `qat_epochs`?)"));
    assert!(error("[quantize]\nweights = \"int3\"").contains("allowed: \"int8\", \"int4\", \"codebook\""));
    let message = error("[quantize]\nfit = true\nqat_epochs = 2");
    assert!(message.contains("`quantize.fit` is true; allowed: false with qat_epochs"), "{message}");
    for key in ["weights", "ends"] {
        let message = error(&format!("[quantize]\n{key} = \"codebook\"\nqat_epochs = 2"));
        assert!(message.contains("`quantize.qat_epochs` is 2; allowed: 0 where weights are \"codebook\""), "{message}");
    }
    let message = error("[quantize]\nweight_calibration = \"moving-average\"");
    assert!(message.contains("allowed: \"minmax\", \"percentile\", \"mse\", \"kl\""), "{message}");
}
