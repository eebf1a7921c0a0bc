//! Takes orders over HTTP and publishes them to the topic `orders`.
//!
//!     orders-service [ADDRESS]      where it listens, 127.0.0.1:8080 by default
//!
//!     curl -d '{"id": "o-1", "customer": "ada", "items": [{"sku": "tea", "quantity": 2}]}' \
//!         http://127.0.0.1:8080/orders
//!
//! The broker is where KAFKA_BOOTSTRAP_SERVERS says, 127.0.0.1:9092 by default.
//!
//! An order is answered with 201 when the broker has it on disk, and not before: who has that answer
//! need not ask again. Ending the service loses nothing that was answered.

use std::env;
use std::error::Error;
use std::io::Read;
use std::thread;
use std::time::SystemTime;

use publisher::{breaks_contract, Publisher};
use serde_json::{json, Value};
use shop::Order;
use tiny_http::{Header, Method, Request, Response, Server};

mod publisher;

/// The contract, generated from `../proto/order.proto`.
mod shop {
    include!(concat!(env!("OUT_DIR"), "/shop.rs"));
}

const TOPIC: &str = "orders";
const ORDER_BYTES_MAX: u64 = 64 * 1024;
/// As many orders wait for the broker at a time; it stores them together.
const THREADS: usize = 16;

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let address = env::args().nth(1).unwrap_or("127.0.0.1:8080".to_string());
    let broker = env::var("KAFKA_BOOTSTRAP_SERVERS").unwrap_or("127.0.0.1:9092".to_string());
    let publisher = Publisher::new(&broker, "orders-service")?;
    let server = Server::http(&address)?;
    println!("orders-service: http://{}/orders", server.server_addr());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| serve(&server, &publisher));
        }
    });
    Ok(())
}

fn serve(server: &Server, publisher: &Publisher) {
    for mut request in server.incoming_requests() {
        let (status, answer) = route(&mut request, publisher);
        let json = Header::from_bytes("Content-Type", "application/json").expect("a header");
        let response = Response::from_string(format!("{answer}\n"))
            .with_status_code(status)
            .with_header(json);
        let _ = request.respond(response); // the client has gone
    }
}

fn route(request: &mut Request, publisher: &Publisher) -> (u16, Value) {
    match (request.method(), request.url()) {
        (Method::Post, "/orders") => match read_order(request) {
            Ok(order) => place(&order, publisher),
            Err(error) => (400, json!({ "error": error.to_string() })),
        },
        (_, "/orders") => (405, json!({ "error": "POST an order" })),
        _ => (404, json!({ "error": "there is only /orders" })),
    }
}

fn read_order(request: &mut Request) -> serde_json::Result<Order> {
    let body = request.as_reader().take(ORDER_BYTES_MAX);
    let mut order: Order = serde_json::from_reader(body)?;
    order.placed_at = Some(SystemTime::now().into());
    Ok(order)
}

/// The customer is the key: one customer's orders stay in order.
fn place(order: &Order, publisher: &Publisher) -> (u16, Value) {
    match publisher.publish(TOPIC, &order.customer, order) {
        Ok(at) => (
            201,
            json!({ "partition": at.partition, "offset": at.offset }),
        ),
        Err(error) if breaks_contract(&error) => {
            // This program and the topic disagree on what an order is: no client can help that.
            eprintln!(
                "orders-service: order {} breaks the contract of {TOPIC}",
                order.id
            );
            (500, json!({ "error": error.to_string() }))
        }
        Err(error) => (503, json!({ "error": error.to_string() })),
    }
}
