//! Which incident each expectation is about.

use super::expectation::IncidentExpect;
use crate::rehearsal::Life;

/// Gives each expectation an incident of its own: as many as possible one that is as expected,
/// and the others one that differs as little as possible. `distance` is `None` where an incident
/// is not meant at all.
pub(super) fn pair(
    wanted: &[IncidentExpect],
    lives: &[Life],
    distance: impl Fn(&IncidentExpect, &Life) -> Option<usize>,
) -> Vec<Option<usize>> {
    let distances: Vec<Vec<Option<usize>>> = wanted
        .iter()
        .map(|wanted| lives.iter().map(|life| distance(wanted, life)).collect())
        .collect();
    let mut owner: Vec<Option<usize>> = vec![None; lives.len()];
    for index in 0..wanted.len() {
        let mut tried = vec![false; lives.len()];
        augment(index, &distances, &mut owner, &mut tried);
    }
    let mut pairs: Vec<Option<usize>> = vec![None; wanted.len()];
    for (life, of) in owner.iter().enumerate() {
        if let Some(slot) = of.and_then(|of| pairs.get_mut(of)) {
            *slot = Some(life);
        }
    }
    for (index, row) in distances.iter().enumerate() {
        if pairs.get(index).is_some_and(Option::is_some) {
            continue;
        }
        let free = |life: &usize| !pairs.contains(&Some(*life));
        let nearest = row
            .iter()
            .enumerate()
            .filter(|(life, _)| free(life))
            .filter_map(|(life, distance)| Some((distance.as_ref()?, life)))
            .min()
            .map(|(_, life)| life);
        if let Some(slot) = pairs.get_mut(index) {
            *slot = nearest;
        }
    }
    pairs
}

/// Finds an incident that is as expected, and has others who hold it look for another one.
fn augment(
    wanted: usize,
    distances: &[Vec<Option<usize>>],
    owner: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    let Some(row) = distances.get(wanted) else { return false };
    for (life, distance) in row.iter().enumerate() {
        let Some(seen) = tried.get_mut(life).filter(|seen| !**seen && *distance == Some(0)) else {
            continue;
        };
        *seen = true;
        let holder = owner.get(life).copied().flatten();
        if holder.is_none_or(|holder| augment(holder, distances, owner, tried)) {
            if let Some(slot) = owner.get_mut(life) {
                *slot = Some(wanted);
            }
            return true;
        }
    }
    false
}
