//! The formats: NDJSON, CSV and Parquet, each page after page.

use super::{
    columns::{cell, columns},
    writer::Hashing,
};
use crate::failure::Failure;
use parquet::{
    basic::{Compression, ZstdLevel},
    data_type::{ByteArray, ByteArrayType, Int64Type},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::SerializedFileWriter,
    },
    schema::parser::parse_message_type,
};
use serde_json::Value;
use std::{
    io::{BufWriter, Write},
    sync::Arc,
};
use wadi_web::no_formula;

/// Rows of a Parquet row group: what is held in memory while one is written.
pub(super) const GROUP_ROWS: usize = 2_000;

pub(super) type Out = Hashing<BufWriter<Box<dyn Write + Send>>>;

pub(super) type Pages<'a> = &'a mut dyn FnMut() -> Result<Vec<Value>, Failure>;

pub(super) fn each_page(
    pages: Pages,
    mut take: impl FnMut(Vec<Value>) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let mut rows = 0;
    loop {
        let page = pages()?;
        if page.is_empty() {
            return Ok(rows);
        }
        rows += page.len() as u64;
        take(page)?;
    }
}

pub(super) fn write_ndjson(mut out: Out, pages: Pages) -> Result<(u64, Out), Failure> {
    let failed = |e: std::io::Error| Failure::new("unwritable", e.to_string());
    let rows = each_page(pages, |page| {
        page.iter()
            .try_for_each(|record| writeln!(out, "{record}"))
            .map_err(failed)
    })?;

    Ok((rows, out))
}

pub(super) fn write_csv(out: Out, pages: Pages) -> Result<(u64, Out), Failure> {
    let failed = |e: csv::Error| Failure::new("unwritable", e.to_string());
    let columns = columns();
    let mut writer = csv::Writer::from_writer(out);
    writer
        .write_record(columns.iter().map(|c| &c.name))
        .map_err(failed)?;

    let rows = each_page(pages, |page| {
        page.iter().try_for_each(|record| {
            let cells = columns.iter().map(|c| match cell(record, c) {
                None => String::new(),
                Some(Value::String(text)) => no_formula(text),
                Some(other) => other.to_string(),
            });
            writer.write_record(cells).map_err(failed)
        })
    })?;

    let out = writer
        .into_inner()
        .map_err(|e| Failure::new("unwritable", e.to_string()))?;

    Ok((rows, out))
}

pub(super) fn write_parquet(out: Out, filter: &Value, pages: Pages) -> Result<(u64, Out), Failure> {
    let failed = |e: parquet::errors::ParquetError| Failure::new("unwritable", e.to_string());
    let columns = columns();
    let lines: Vec<String> = columns
        .iter()
        .map(|c| match c.number {
            true => format!("optional int64 {};", c.name),
            false => format!("optional binary {} (UTF8);", c.name),
        })
        .collect();

    let schema =
        parse_message_type(&format!("message record {{ {} }}", lines.join(" "))).map_err(failed)?;
    let about = KeyValue::new("wadi.export.filter".to_string(), filter.to_string());
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::default()))
        .set_key_value_metadata(Some(vec![about]))
        // What is kept of each group until the end is all that grows with the records: no more of
        // it than readers need.
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_offset_index_disabled(true)
        .build();

    let mut writer =
        SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
    let mut held: Vec<Value> = Vec::new();
    let mut write_group = |rows: &[Value]| -> parquet::errors::Result<()> {
        let mut group = writer.next_row_group()?;
        for column in &columns {
            let cells: Vec<Option<Value>> = rows.iter().map(|r| cell(r, column)).collect();
            let levels: Vec<i16> = cells.iter().map(|c| i16::from(c.is_some())).collect();
            let mut to = group
                .next_column()?
                .expect("a writer for each column of the schema");

            if column.number {
                let values: Vec<i64> = cells.iter().flatten().filter_map(Value::as_i64).collect();
                to.typed::<Int64Type>()
                    .write_batch(&values, Some(&levels), None)?;
            } else {
                let text = |v: &Value| v.as_str().map_or_else(|| v.to_string(), String::from);
                let values: Vec<ByteArray> = cells
                    .iter()
                    .flatten()
                    .map(|v| ByteArray::from(text(v).as_str()))
                    .collect();

                to.typed::<ByteArrayType>()
                    .write_batch(&values, Some(&levels), None)?;
            }

            to.close()?;
        }

        group.close()?;
        Ok(())
    };

    let rows = each_page(pages, |page| {
        held.extend(page);
        if held.len() >= GROUP_ROWS {
            write_group(&held).map_err(failed)?;
            held.clear();
        }
        Ok(())
    })?;

    if !held.is_empty() {
        write_group(&held).map_err(failed)?;
    }

    Ok((rows, writer.into_inner().map_err(failed)?))
}
