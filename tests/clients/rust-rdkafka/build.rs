fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=order.proto");
    prost_build::compile_fds(protox::compile(["order.proto"], ["."])?)?;
    Ok(())
}
