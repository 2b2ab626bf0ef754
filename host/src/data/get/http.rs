//! One file over HTTP, going on where an earlier attempt stopped.

#[cfg(test)]
mod tests;

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    time::Duration,
};
use ureq::{Agent, Body, http::Response};

/// Requests for one file, as long as each brings it further.
const ATTEMPTS: usize = 8;
/// How long a server may be silent.
const SILENCE: Duration = Duration::from_secs(30);

/// Why a file did not arrive. What did arrive is in the part.
#[derive(Debug, thiserror::Error)]
pub(super) enum HttpError {
    #[error("the server answers {0}")]
    Status(ureq::http::StatusCode),
    #[error("{0}")]
    Transport(#[from] ureq::Error),
    #[error("the connection broke after {done} bytes: {source}")]
    Cut { done: u64, source: io::Error },
    #[error("more than {limit} bytes; the file is smaller")]
    TooLong { limit: u64 },
    #[error("{0}")]
    Part(io::Error),
}

/// Downloads `url` to the end of `part`, whose bytes are taken for the start of the file where the server can go on from
/// them; tells how many bytes of how many are there. Gives back whether there were bytes that were kept.
pub(super) fn fetch(
    url: &str,
    part: &mut File,
    limit: u64,
    tell: &mut dyn FnMut(u64, Option<u64>),
) -> Result<bool, HttpError> {
    let agent: Agent = Agent::config_builder()
        .user_agent(concat!("niwaki/", env!("CARGO_PKG_VERSION")))
        .http_status_as_error(false)
        .timeout_resolve(Some(SILENCE))
        .timeout_connect(Some(SILENCE))
        .timeout_recv_response(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .build()
        .into();
    let length = |part: &File| part.metadata().map(|m| m.len()).map_err(HttpError::Part);
    let (mut attempt, mut resumed) = (1, false);
    loop {
        let before = length(part)?;
        match once(&agent, url, part, before, limit, tell) {
            Ok(from) => return Ok(resumed || from > 0),
            Err(HttpError::Transport(_) | HttpError::Cut { .. }) if attempt < ATTEMPTS && length(part)? > before => {
                attempt += 1;
                resumed |= before > 0;
            }
            Err(error) => return Err(error),
        }
    }
}

/// One request; gives back from which byte on.
fn once(
    agent: &Agent,
    url: &str,
    part: &mut File,
    have: u64,
    limit: u64,
    tell: &mut dyn FnMut(u64, Option<u64>),
) -> Result<u64, HttpError> {
    let mut request = agent.get(url).header("accept-encoding", "identity");
    if have > 0 {
        request = request.header("range", format!("bytes={have}-"));
    }
    let response = request.call()?;
    let from = match response.status().as_u16() {
        200 => 0,
        206 if range_start(&response) == Some(have) => have,
        // Nothing is missing, or the part is longer than the file: the checksum tells.
        416 if have > 0 => return Ok(have),
        _ => return Err(HttpError::Status(response.status())),
    };
    part.set_len(from).and_then(|()| part.seek(SeekFrom::Start(from))).map_err(HttpError::Part)?;
    let total = response.body().content_length().map(|len| from + len);
    let mut body = response.into_body().into_reader();
    let (mut done, mut piece) = (from, vec![0; 1 << 16]);
    loop {
        tell(done, total);
        let len = match body.read(&mut piece) {
            Ok(0) => break,
            Ok(len) => len,
            Err(source) => return Err(HttpError::Cut { done, source }),
        };
        part.write_all(&piece[..len]).map_err(HttpError::Part)?;
        done += len as u64;
        if done > limit {
            part.set_len(0).map_err(HttpError::Part)?;
            return Err(HttpError::TooLong { limit });
        }
    }
    match total {
        Some(total) if done < total => Err(HttpError::Cut { done, source: io::ErrorKind::UnexpectedEof.into() }),
        _ => Ok(from),
    }
}

/// `N` of `Content-Range: bytes N-…`.
fn range_start(response: &Response<Body>) -> Option<u64> {
    let range = response.headers().get("content-range")?.to_str().ok()?;
    range.strip_prefix("bytes ")?.split_once('-')?.0.trim().parse().ok()
}
