//! Compiles `proto/wadi/v1/entry.proto` without protoc.
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let files = ["wadi/v1/entry.proto"];
    println!("cargo:rerun-if-changed=../../proto");
    let set = protox::compile(files, ["../../proto"])?;
    prost_build::Config::new().compile_fds(set)?;
    Ok(())
}
