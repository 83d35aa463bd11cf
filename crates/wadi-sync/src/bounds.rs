//! Counts what a message holds before anything is allocated for it: a byte on the wire must not
//! become a hundred here.

use prost::{
    DecodeError,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};

/// How many fields of these bytes lie at `path`, a field number a level; what lies there is not
/// looked at.
pub(crate) fn count_fields(bytes: &[u8], path: &[u32]) -> Result<usize, DecodeError> {
    let Some((field, deeper)) = path.split_first() else {
        return Ok(1);
    };
    let (mut rest, mut count) = (bytes, 0);

    while !rest.is_empty() {
        let (number, wire) = decode_key(&mut rest)?;
        if number != *field || wire != WireType::LengthDelimited {
            skip_field(wire, number, &mut rest, DecodeContext::default())?;
            continue;
        }

        let length = usize::try_from(decode_varint(&mut rest)?).unwrap_or(usize::MAX);
        let Some((inner, after)) = rest.split_at_checked(length) else {
            // The decoder tells what is wrong with it.
            return Ok(count);
        };

        count += count_fields(inner, deeper)?;
        rest = after;
    }

    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pb;
    use prost::Message as _;

    #[test]
    fn what_lies_at_a_path_is_counted_and_what_is_cut_short_does_not_panic() {
        let stretch = |n: usize| pb::Stretch {
            start: 7,
            entries: vec![vec![1]; n],
            around: vec![vec![0; 32]; 3],
        };

        let fetched = pb::Fetched {
            stretches: vec![stretch(2), stretch(0), stretch(5)],
            ..Default::default()
        };
        let of = Some(pb::message::Of::Fetched(fetched));
        let bytes = pb::Message { of }.encode_to_vec();
        assert_eq!(count_fields(&bytes, &[19]), Ok(1));
        assert_eq!(count_fields(&bytes, &[19, 4]), Ok(3));
        assert_eq!(count_fields(&bytes, &[19, 4, 2]), Ok(7));
        assert_eq!(count_fields(&bytes, &[19, 4, 3]), Ok(9));
        assert_eq!(count_fields(&bytes, &[11, 3]), Ok(0));

        for cut in 0..bytes.len() {
            let _ = count_fields(&bytes[..cut], &[19, 4, 2]);
        }
    }
}
