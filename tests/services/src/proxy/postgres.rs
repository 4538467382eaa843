//! The client's side of PostgreSQL's protocol (version 3): its messages, and which statement one of them
//! executes.

use std::collections::HashMap;
use std::io;

use tokio::io::AsyncReadExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::Link;
use super::step::Passing;

/// Requests for encryption, in the place of a startup packet; the server says no.
const SSL_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;

/// The longest message that is believed.
const LONGEST: usize = 1 << 30;

/// Forwards messages until the client ends the connection.
pub(super) async fn requests(
    link: &Link,
    mut client: OwnedReadHalf,
    mut server: OwnedWriteHalf,
) -> io::Result<()> {
    while let Some(packet) = message(&mut client, 0).await? {
        link.forward(&packet, &mut server).await?;
        let code = packet.get(4..8).and_then(|code| code.try_into().ok());
        if !matches!(
            code.map(u32::from_be_bytes),
            Some(SSL_REQUEST | GSS_REQUEST)
        ) {
            break;
        }
    }
    // What a client parses by a name it binds by that name later.
    let mut prepared = HashMap::new();
    while let Some(packet) = message(&mut client, 1).await? {
        let (kind, body) = (packet[0], &packet[5..]);
        let mut texts = body.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let mut text = || texts.next().unwrap_or_default();
        let executed = match kind {
            b'P' => {
                let (name, sql) = (text().into_owned(), text().into_owned());
                prepared.insert(name, sql);
                None
            }
            b'B' => {
                let (_portal, name) = (text(), text());
                prepared.get(&*name).cloned()
            }
            b'Q' => Some(text().into_owned()),
            _ => None,
        };
        if let Some(sql) = executed {
            link.meet(&Passing::Statement(&sql)).await?;
        }
        link.forward(&packet, &mut server).await?;
    }
    Ok(())
}

/// The next message, whose length stands after so many bytes of type; `None` at the end.
async fn message(client: &mut OwnedReadHalf, typed: usize) -> io::Result<Option<Vec<u8>>> {
    let mut packet = vec![0; typed + 4];
    match client.read_exact(&mut packet).await {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    let length = packet[typed..].try_into().map_or(0, u32::from_be_bytes) as usize;
    if !(4..LONGEST).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    packet.resize(typed + length, 0);
    client.read_exact(&mut packet[typed + 4..]).await?;
    Ok(Some(packet))
}
