//! Addresses that a process listens at.

mod holder;

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::error::StartError;

/// A bound address, before anything is served at it.
pub(crate) struct Listening {
    pub(crate) listener: TcpListener,
    /// Such as `http://127.0.0.1:8080`, with the port that was picked.
    pub(crate) url: String,
}

/// Binds an address; `setting` names it in the fault.
pub(crate) async fn bind(setting: &str, address: SocketAddr) -> Result<Listening, StartError> {
    let fault = |error: io::Error| {
        let cause = cause(&error, address);
        StartError::usage(format_args!("{setting}: {address}: {cause}"))
    };
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let url = format!("http://{}", listener.local_addr().map_err(fault)?);
    Ok(Listening { listener, url })
}

/// What is wrong with an address, and what else could be chosen.
fn cause(error: &io::Error, address: SocketAddr) -> String {
    if error.kind() != io::ErrorKind::AddrInUse {
        return error.to_string();
    }
    let holders = holder::holders(address);
    let by = if holders.is_empty() {
        String::new()
    } else {
        format!(" by {}", holders.join(", "))
    };
    format!("is taken{by}; stop that, or choose another address (port 0 picks a free one)")
}
