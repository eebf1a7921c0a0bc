//! Generates the suite's messages, and takes the guide's program out of docs/contracts.md.

use std::{env, fs, path::Path};

const GUIDE: &str = "../../../docs/contracts.md";

fn between<'a>(text: &'a str, begin: &str, end: &str) -> &'a str {
    let (_, rest) = text.split_once(begin).expect(begin);
    rest.split_once(end).expect(end).0
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=order.proto");
    println!("cargo:rerun-if-changed={GUIDE}");
    prost_build::compile_fds(protox::compile(["order.proto"], ["."])?)?;
    let guide = fs::read_to_string(GUIDE)?;
    let program = between(&guide, "```rust\n", "```");
    assert!(program.contains("\"127.0.0.1:9092\""));
    let program = program.replace(
        "\"127.0.0.1:9092\"",
        "std::env::var(\"MILLRACE_BOOTSTRAP\").unwrap()",
    );
    let out = env::var("OUT_DIR")?;
    fs::write(Path::new(&out).join("guide.rs"), program)?;
    let contract = between(&guide, "cat > order.proto << END\n", "END\n");
    fs::write(Path::new(&out).join("guide.proto"), contract)?;
    Ok(())
}
