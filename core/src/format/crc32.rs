//! CRC-32 (IEEE 802.3, reflected, as in gzip and PNG), four bits a step: 64 bytes of table.

const TABLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut n = 0;
    while n < 16 {
        let mut crc = n as u32;
        let mut bit = 0;
        while bit < 4 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
            bit += 1;
        }
        #[expect(clippy::indexing_slicing, reason = "evaluated at compile time, n < 16")]
        {
            table[n] = crc;
        }
        n += 1;
    }
    table
};

/// The checksum of `bytes`.
pub fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, nibble: u32| crc >> 4 ^ TABLE.get((nibble & 15) as usize).copied().unwrap_or(0);
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        let crc = crc ^ byte as u32;
        let crc = step(crc, crc);
        step(crc, crc)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_check_value_of_the_standard() {
        assert_eq!(super::crc32(b"123456789"), 0xCBF4_3926);
        assert_eq!(super::crc32(b""), 0);
    }
}
