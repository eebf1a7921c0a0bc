//! Generates the types of the contract. They are read from JSON as well, since an order comes in
//! over HTTP: what is no field of the contract is an error there, and the time is not the client's
//! to say.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo:rerun-if-changed=../proto");
    let contract = protox::compile(["order.proto"], ["../proto"])?;
    prost_build::Config::new()
        .type_attribute(".shop", "#[derive(serde::Deserialize)]")
        .type_attribute(".shop", "#[serde(deny_unknown_fields)]")
        .field_attribute(".shop.Order.placed_at", "#[serde(skip)]")
        .compile_fds(contract)?;
    Ok(())
}
