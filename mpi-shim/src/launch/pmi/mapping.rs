//! `PMI_process_mapping`: which ranks share a node, as process managers write it.
//!
//! `(vector,(first node,nodes,ranks of each),…)`: blocks that are filled one after the other, and from the first again
//! when ranks are left.

/// The node of each rank; nothing if the text is not such a vector.
pub(super) fn nodes(text: &str, size: u32) -> Option<Vec<u32>> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let blocks = text.strip_prefix("(vector,(")?.strip_suffix("))")?;
    let blocks: Vec<(u32, u32, u32)> = blocks.split("),(").map(block).collect::<Option<_>>()?;
    let mut nodes = Vec::new();
    while nodes.len() < size as usize {
        let before = nodes.len();
        for &(first, count, each) in &blocks {
            for node in first..first.checked_add(count)? {
                let room = size as usize - nodes.len();
                nodes.extend(std::iter::repeat_n(node, room.min(each as usize)));
                if nodes.len() == size as usize {
                    return Some(nodes);
                }
            }
        }
        if nodes.len() == before {
            return None;
        }
    }
    Some(nodes)
}

fn block(text: &str) -> Option<(u32, u32, u32)> {
    let fields: Vec<u32> = text.split(',').map(|field| field.parse().ok()).collect::<Option<_>>()?;
    match fields[..] {
        // A node that holds none would be walked over, however many there are.
        [first, count, each] if each > 0 => Some((first, count, each)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::nodes;
    use proptest::prelude::*;

    #[test]
    fn blocks_are_filled_in_order_and_again() {
        assert_eq!(nodes("(vector,(0,1,1))", 3), Some(vec![0, 0, 0]));
        assert_eq!(nodes("(vector,(0,2,2),(5,1,1))", 5), Some(vec![0, 0, 1, 1, 5]));
        assert_eq!(nodes("(vector, (0,2,1))", 4), Some(vec![0, 1, 0, 1]));
    }

    #[test]
    fn what_is_no_mapping_is_refused() {
        for text in ["", "(vector)", "(vector,())", "(vector,(0,1))", "(vector,(0,0,1))", "(vector,(0,9,0))", "(0,1,1)"]
        {
            assert_eq!(nodes(text, 2), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\(vector,)?(\\([0-9,]{0,12}\\),?){0,3}\\)?", size in 0_u32..100) {
            if let Some(found) = nodes(&text, size) {
                prop_assert_eq!(found.len(), size as usize);
            }
        }
    }
}
