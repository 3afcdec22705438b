//! Reed–Solomon parity over the source symbols of a block.

use bytes::Bytes;
use reed_solomon_simd::{ReedSolomonDecoder, ReedSolomonEncoder};

/// Parity symbols that a block has. Any of them replaces any source symbol; an odd number of them costs as much as the
/// next power of two.
pub const PARITY: u16 = 16;

/// Makes parity symbols.
#[derive(Default)]
pub(crate) struct Encoder {
    code: Option<ReedSolomonEncoder>,
    padded: Vec<u8>,
}

impl Encoder {
    /// All parity symbols of these source symbols, at least one, of which only the last may be shorter than
    /// `symbol_len`.
    pub(crate) fn parity(&mut self, sources: &[Bytes], symbol_len: usize) -> Vec<Bytes> {
        let (count, parity) = (sources.len(), usize::from(PARITY));
        let code = match &mut self.code {
            Some(code) => {
                code.reset(count, parity, symbol_len).expect(SUPPORTED);
                code
            }
            none => none.insert(ReedSolomonEncoder::new(count, parity, symbol_len).expect(SUPPORTED)),
        };
        for source in sources {
            code.add_original_shard(pad(&mut self.padded, source, symbol_len)).expect(SUPPORTED);
        }
        let made = code.encode().expect("all sources are there");
        made.recovery_iter().map(Bytes::copy_from_slice).collect()
    }
}

/// Restores source symbols.
#[derive(Default)]
pub(crate) struct Decoder {
    code: Option<ReedSolomonDecoder>,
    padded: Vec<u8>,
}

impl Decoder {
    /// Restores in `block` the source symbols that are `missing`. There must be as many parity symbols as are missing,
    /// each of `symbol_len` bytes, and no two of the same index.
    pub(crate) fn restore(&mut self, block: &mut [u8], missing: u64, parity: &[(u16, Bytes)], symbol_len: usize) {
        let (count, all) = (block.len().div_ceil(symbol_len), usize::from(PARITY));
        let code = match &mut self.code {
            Some(code) => {
                code.reset(count, all, symbol_len).expect(SUPPORTED);
                code
            }
            none => none.insert(ReedSolomonDecoder::new(count, all, symbol_len).expect(SUPPORTED)),
        };
        for (index, source) in block.chunks(symbol_len).enumerate().filter(|(i, _)| missing >> i & 1 == 0) {
            code.add_original_shard(index, pad(&mut self.padded, source, symbol_len)).expect(SUPPORTED);
        }
        for (index, symbol) in parity.iter().take(missing.count_ones() as usize) {
            code.add_recovery_shard(usize::from(*index), symbol).expect("its index and its length were checked");
        }
        let restored = code.decode().expect("there are as many symbols as the block has");
        for (index, symbol) in restored.restored_original_iter() {
            let start = index * symbol_len;
            let end = block.len().min(start + symbol_len);
            block[start..end].copy_from_slice(&symbol[..end - start]);
        }
    }
}

const SUPPORTED: &str = "a block has 1 to 64 source symbols of an even length";

/// A symbol with zeros up to `symbol_len`.
fn pad<'a>(padded: &'a mut Vec<u8>, symbol: &'a [u8], symbol_len: usize) -> &'a [u8] {
    if symbol.len() == symbol_len {
        return symbol;
    }
    padded.clear();
    padded.extend_from_slice(symbol);
    padded.resize(symbol_len, 0);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_parity_replaces_any_source(
            len in 1usize..65_536,
            symbol_len in (512usize..2048).prop_map(|half| 2 * half),
            lost in any::<u64>(),
            seed in any::<u64>(),
        ) {
            let mut rng = fastrand::Rng::with_seed(seed);
            let block: Bytes = std::iter::repeat_with(|| rng.u8(..)).take(len).collect();
            let sources: Vec<Bytes> = (0..len).step_by(symbol_len).map(|at| block.slice(at..len.min(at + symbol_len))).collect();
            let mut parity: Vec<(u16, Bytes)> = (0..).zip(Encoder::default().parity(&sources, symbol_len)).collect();
            rng.shuffle(&mut parity);
            let mut missing = lost & super::super::geometry::all_symbols(sources.len() as u16);
            while missing.count_ones() > u32::from(PARITY) {
                missing &= missing - 1;
            }
            let mut received = block.to_vec();
            for (index, source) in received.chunks_mut(symbol_len).enumerate() {
                if missing >> index & 1 == 1 {
                    source.fill(0xee);
                }
            }
            let mut decoder = Decoder::default();
            decoder.restore(&mut received, missing, &parity, symbol_len);
            prop_assert_eq!(&received[..], &block[..]);
        }
    }
}
