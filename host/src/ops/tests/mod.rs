//! What an operator answers holds of what it computes, for every operator of the table.

pub(crate) mod examples;

use super::*;
use crate::graph::{Graph, lower::Lowered as Form};
use examples::{Example, Operand, examples};

/// An example with its network and the values of its operands.
struct Case {
    example: Example,
    graph: Graph,
    values: Vec<Option<Value>>,
}

fn cases() -> impl Iterator<Item = Case> {
    examples().into_iter().map(|example| {
        let graph = example.network(7);
        let values = example.values(7).into_iter().map(|values| values.map(Value::F32)).collect();
        Case { example, graph, values }
    })
}

impl Case {
    fn name(&self) -> &'static str {
        self.example.op.name()
    }

    fn on(&self) -> Operands<'_> {
        self.graph.operands(&self.graph.nodes[0])
    }

    /// What the operator makes of these values of its operands.
    fn computed(&self, graph: &Graph, values: &[Option<Value>]) -> Result<Value, Misfit> {
        let computed: Vec<Option<&Value>> = values.iter().map(Option::as_ref).collect();
        self.example.op.operator().evaluate(&graph.operands(&graph.nodes[0]), &computed)
    }

    /// The floats that it makes of the example; `None` where it computes none.
    fn floats(&self) -> Option<Vec<f32>> {
        self.computed(&self.graph, &self.values).ok()?.f32s().map(<[f32]>::to_vec)
    }
}

#[test]
fn names_are_all_different() {
    let mut names: Vec<&str> = examples().iter().map(|example| example.op.name()).collect();
    names.sort_unstable();
    assert!(names.windows(2).all(|pair| pair[0] != pair[1]), "{names:?}");
}

#[test]
fn a_result_has_the_length_of_its_shape_and_what_has_no_form_says_why() {
    for case in cases() {
        let lowered = case.example.op.operator().lower(&case.on());
        match case.computed(&case.graph, &case.values) {
            Ok(y) => {
                let len = y.to_bytes().len() / case.on().output.element.element_bytes();
                assert_eq!(len, case.on().output.element_count(), "{}", case.name());
            }
            Err(why) => assert_eq!(lowered, Err(why), "{}", case.name()),
        }
    }
}

#[test]
fn too_many_operands_are_refused() {
    for case in cases() {
        let (operator, shapes) = (case.example.op.operator(), case.on().shapes());
        let many = [shapes, vec![&[3]; 7]].concat();
        assert!(operator.shape(&many).is_err(), "{}: too many operands", case.name());
    }
}

#[test]
fn a_result_is_zero_where_the_rule_says_so() {
    for case in cases() {
        let (count, rule) = (case.example.operands.len(), case.example.op.rules().zero);
        for zeros in 0..1_usize << count {
            let is_zero: Vec<bool> = (0..count).map(|i| zeros >> i & 1 == 1).collect();
            let (mut graph, mut values) = (case.graph.clone(), case.values.clone());
            for (i, _) in is_zero.iter().enumerate().filter(|(_, zero)| **zero) {
                let id = graph.nodes[0].inputs[i];
                graph[id].f32s_mut().into_iter().flatten().for_each(|v| *v = 0.0);
                if let Some(Value::F32(values)) = &mut values[i] {
                    values.fill(0.0);
                }
            }
            let Ok(Value::F32(y)) = case.computed(&graph, &values) else { continue };
            if rule.of(&is_zero) {
                assert!(y.iter().all(|&y| y == 0.0), "{} of {is_zero:?}: {y:?}", case.name());
            }
        }
        // The rule of an operator that can be zero for a reason is not empty.
        assert!(rule == Zero::Never || rule.of(&vec![true; count]), "{}", case.name());
    }
}

#[test]
fn channels_that_are_not_handed_on_change_nothing_elsewhere() {
    for case in cases() {
        let (Some(runs), Some(y)) = (case.example.op.operator().channels(&case.on()).runs, case.floats()) else {
            continue;
        };
        let outputs = rules::last(case.on().output);
        for (i, operand) in case.example.operands.iter().enumerate() {
            let Operand::Value(shape) = operand else { continue };
            let channels = shape.last().copied().unwrap_or(1);
            for channel in (0..channels).filter(|_| !runs.is_empty()) {
                let mut values = case.values.clone();
                if let Some(Value::F32(values)) = &mut values[i] {
                    values.iter_mut().skip(channel).step_by(channels).for_each(|v| *v += 0.75);
                }
                let changed = case.computed(&case.graph, &values).expect("computes");
                let changed = changed.f32s().expect("floats");
                let reaches = |output: usize| {
                    let of = |run: &ChannelRun| {
                        let at = channel.checked_sub(run.from).filter(|&at| at < run.channels);
                        run.operand == i && at.is_some_and(|at| run.to + at == output)
                    };
                    runs.iter().any(of)
                };
                for (at, (before, after)) in y.iter().zip(changed).enumerate() {
                    let stays = !reaches(at % outputs);
                    assert!(!stays || before == after, "{}: channel {channel} of operand {i}", case.name());
                }
            }
        }
    }
}

#[test]
fn axes_of_constants_are_as_long_as_the_channels_that_they_run_over() {
    for case in cases() {
        let on = case.on();
        for Axis { operand, axis, reads } in case.example.op.operator().channels(&on).axes {
            let channels = rules::last(if reads { on.x() } else { on.output });
            assert!(on.inputs[operand].shape[axis].is_multiple_of(channels), "{}", case.name());
            assert!(on.inputs[operand].data.is_some(), "{}", case.name());
        }
    }
}

#[test]
fn an_identity_hands_its_operand_on() {
    let mut identities = 0;
    for case in cases() {
        let (on, Some(y)) = (case.on(), case.floats()) else { continue };
        if on.x().shape == on.output.shape && case.example.op.operator().is_identity(&on) {
            identities += 1;
            assert_eq!(case.values[0], Some(Value::F32(y)), "{}", case.name());
        }
    }
    assert!(identities > 0, "dropout is one");
}

#[test]
fn a_factor_of_a_channel_passes_where_the_rule_says_so() {
    for case in cases() {
        let (on, Some(y)) = (case.on(), case.floats()) else { continue };
        if !case.example.op.operator().passes_factor(on.x().shape.len()) {
            continue;
        }
        // Powers of two, so that nothing is rounded; a reshape repeats them.
        let channels = rules::last(on.x());
        let factor = |i: usize| [0.5, 2.0, 4.0, 0.25][i % channels % 4];
        let mut values = case.values.clone();
        if let Some(Value::F32(x)) = &mut values[0] {
            x.iter_mut().enumerate().for_each(|(i, x)| *x *= factor(i));
        }
        let scaled = case.computed(&case.graph, &values).expect("computes");
        let want: Vec<f32> = y.iter().enumerate().map(|(i, y)| y * factor(i)).collect();
        assert_eq!(scaled, Value::F32(want), "{}", case.name());
    }
}

#[test]
fn windows_say_where_padding_goes_and_layers_have_weights() {
    for case in cases() {
        let (rules, op) = (case.example.op.rules(), &case.example.op);
        let kernel = op.operator().kernel(&case.on());
        assert_eq!(op.sliding().is_some(), kernel.is_some(), "{}", case.name());
        assert!(rules.border == Border::Unlike || kernel.is_some(), "{}", case.name());
        if let Some(weights) = rules.weights {
            assert_eq!(case.on().inputs[1].shape[weights.axis()], rules::last(case.on().output), "{}", case.name());
            assert!(op.operator().macs(&case.on()) > 0, "{}", case.name());
        }
    }
}

#[test]
fn what_only_renames_is_computed_by_no_kernel_and_trained_by_none() {
    for case in cases() {
        let renames = case.example.op.rules().renames;
        let trained = case.example.op.operator().train(&case.on());
        assert_eq!(renames, trained == Ok(Training::Rename), "{}", case.name());
        if renames {
            assert!(matches!(case.example.op.operator().lower(&case.on()), Ok(Form::Reshape | Form::Unary(_))));
        }
    }
}
