//! The optimizer's state beside an engine's values: one slice a slot, one entry a trained value.

/// Slices of state by name, as a step rule asks for them ([`niwaki_core::optim::Optimizer::slots`]).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Slots {
    slots: Vec<Slot>,
}

/// One slice of state.
#[derive(Debug, Clone, PartialEq)]
struct Slot {
    name: String,
    values: Vec<f32>,
}

impl Slots {
    /// What a rule keeps before its first step: zeros, `len` in each slot.
    pub fn new(names: &[&str], len: usize) -> Self {
        let mut slots = Self::default();
        slots.ask(names, len);
        slots
    }

    /// Slots with the values that a checkpoint has.
    pub fn with_values(slots: impl IntoIterator<Item = (String, Vec<f32>)>) -> Self {
        Self { slots: slots.into_iter().map(|(name, values)| Slot { name, values }).collect() }
    }

    /// Keeps the slots called `names`, in this order, each of `len` entries: zeros where there was nothing.
    pub fn ask(&mut self, names: &[&str], len: usize) {
        let mut kept = std::mem::take(&mut self.slots);
        for name in names {
            let at = kept.iter().position(|slot| slot.name == *name);
            let mut slot =
                at.map_or_else(|| Slot { name: (*name).into(), values: Vec::new() }, |at| kept.swap_remove(at));
            slot.values.resize(len, 0.0);
            self.slots.push(slot);
        }
    }

    /// The slot called `name`.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.slots.iter().find(|slot| slot.name == name).map(|slot| &slot.values[..])
    }

    /// Names and entries, in the rule's order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[f32])> {
        self.slots.iter().map(|slot| (&slot.name[..], &slot.values[..]))
    }

    /// The entries of every slot, in the rule's order.
    pub fn flat_mut(&mut self) -> Vec<&mut [f32]> {
        self.slots.iter_mut().map(|slot| &mut slot.values[..]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn a_rule_finds_what_it_kept_by_name_and_zeros_for_the_rest() {
        let mut slots = Slots::with_values([("v".into(), vec![2.0]), ("m".into(), vec![1.0])]);
        slots.ask(&["m", "x"], 2);
        assert_eq!(slots.iter().collect::<Vec<_>>(), [("m", &[1.0, 0.0][..]), ("x", &[0.0, 0.0][..])]);
        assert_eq!(slots.get("v"), None);
        assert_eq!(slots.flat_mut().len(), 2);
    }
}
