//! Addresses that a process listens at.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::fault::StartFault;

/// A bound address, before anything is served at it.
pub(crate) struct Listening {
    pub(crate) listener: TcpListener,
    /// Such as `http://127.0.0.1:8080`, with the port that was picked.
    pub(crate) url: String,
}

/// Binds an address; `setting` names it in the fault.
pub(crate) async fn bind(setting: &str, address: SocketAddr) -> Result<Listening, StartFault> {
    let fault = |error| StartFault::usage(format_args!("{setting}: {address}: {error}"));
    let listener = TcpListener::bind(address).await.map_err(fault)?;
    let url = format!("http://{}", listener.local_addr().map_err(fault)?);
    Ok(Listening { listener, url })
}
