//! Downloads from a server on this machine that cuts, ignores, refuses and lies.

use crate::data::get::{
    GetError, How, Placed, get,
    tests::{content, gz, set},
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
};
use tempfile::TempDir;

/// How the server answers one request.
enum Answer {
    /// The whole file, whatever part was asked for.
    Whole(Vec<u8>),
    /// The whole file is announced; this many bytes of it come.
    Cut(Vec<u8>, usize),
    /// What was asked for.
    Range(Vec<u8>),
    Status(u16),
}

/// A server that gives these answers, each on a connection of its own, then 500.
struct Server {
    address: &'static str,
    /// The first byte that each request asked for.
    asked: Arc<Mutex<Vec<Option<usize>>>>,
}

impl Server {
    fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}/", listener.local_addr().unwrap()).leak();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        thread::spawn(move || {
            let mut answers = answers.into_iter();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let lines = BufReader::new(&stream).lines().map_while(Result::ok);
                let lines: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                assert_eq!(lines[0], "GET /images.gz HTTP/1.1");
                let start = lines.iter().find_map(|line| {
                    let line = line.to_lowercase();
                    line.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse::<usize>().ok()
                });
                log.lock().unwrap().push(start);
                let bytes = answers.next().unwrap_or(Answer::Status(500)).bytes(start);
                // The client may be gone already.
                let _ = stream.write_all(&bytes);
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<Option<usize>> {
        self.asked.lock().unwrap().clone()
    }
}

impl Answer {
    fn bytes(self, start: Option<usize>) -> Vec<u8> {
        let (status, range, announced, body) = match self {
            Self::Whole(file) => (200, String::new(), file.len(), file),
            Self::Cut(file, len) => (200, String::new(), file.len(), file[..len].to_vec()),
            Self::Range(file) => match start {
                Some(from) => {
                    let range = format!("Content-Range: bytes {from}-{}/{}\r\n", file.len() - 1, file.len());
                    (206, range, file.len() - from, file[from..].to_vec())
                }
                None => (200, String::new(), file.len(), file),
            },
            Self::Status(status) => (status, String::new(), 0, Vec::new()),
        };
        let head = format!("HTTP/1.1 {status} X\r\n{range}Content-Length: {announced}\r\nConnection: close\r\n\r\n");
        [head.into_bytes(), body].concat()
    }
}

/// A cache that holds this unfinished download.
fn cache(part: Option<&[u8]>) -> TempDir {
    let cache = TempDir::new().unwrap();
    fs::create_dir(cache.path().join("pictures")).unwrap();
    if let Some(part) = part {
        fs::write(cache.path().join("pictures/images.gz.part"), part).unwrap();
    }
    cache
}

fn fetch(servers: &[&Server], cache: &TempDir) -> Result<Placed, GetError> {
    let addresses = servers.iter().map(|s| s.address).collect();
    get(&set(addresses), None, cache.path(), &mut |_| {}).map(|mut placed| placed.remove(0))
}

#[track_caller]
fn assert_whole(placed: Result<Placed, GetError>, cache: &TempDir) {
    let Placed { path, how } = placed.unwrap_or_else(|e| panic!("{e}"));
    assert_eq!((path.as_path(), how), (cache.path().join("pictures/images.gz").as_path(), How::Downloaded));
    assert_eq!(fs::read(path).unwrap(), gz(&content()));
    assert!(!part(cache).exists());
}

fn part(cache: &TempDir) -> PathBuf {
    cache.path().join("pictures/images.gz.part")
}

#[test]
fn a_whole_file_arrives_with_progress_and_is_kept() {
    let (server, cache) = (Server::new(vec![Answer::Whole(gz(&content()))]), cache(None));
    let mut told = Vec::new();
    let placed = get(&set(vec![server.address]), None, cache.path(), &mut |p| told.push((p.done, p.total)));
    assert_whole(placed.map(|mut p| p.remove(0)), &cache);
    let len = gz(&content()).len() as u64;
    assert_eq!((told.first(), told.last()), (Some(&(0, Some(len))), Some(&(len, Some(len)))));
    assert!(told.is_sorted());
    assert_eq!(fetch(&[&server], &cache).unwrap().how, How::Kept);
    assert_eq!(server.asked(), [None]);
}

#[test]
fn a_cut_connection_goes_on_where_it_stopped() {
    let file = gz(&content());
    let server = Server::new(vec![Answer::Cut(file.clone(), 40_000), Answer::Range(file)]);
    let cache = cache(None);
    assert_whole(fetch(&[&server], &cache), &cache);
    assert_eq!(server.asked(), [None, Some(40_000)]);
}

#[test]
fn an_interrupted_run_goes_on_in_the_next() {
    let (file, cache) = (gz(&content()), cache(None));
    let gone = Server::new(vec![Answer::Cut(file.clone(), 40_000), Answer::Status(503)]);
    assert!(fetch(&[&gone], &cache).unwrap_err().to_string().contains("Run it again to go on"));
    assert_eq!(fs::read(part(&cache)).unwrap(), file[..40_000]);
    let back = Server::new(vec![Answer::Range(file)]);
    assert_whole(fetch(&[&back], &cache), &cache);
    assert_eq!(back.asked(), [Some(40_000)]);
}

#[test]
fn a_server_that_ignores_ranges_sends_the_whole_again() {
    let file = gz(&content());
    let server = Server::new(vec![Answer::Cut(file.clone(), 40_000), Answer::Whole(file)]);
    let cache = cache(None);
    assert_whole(fetch(&[&server], &cache), &cache);
    assert_eq!(server.asked(), [None, Some(40_000)]);
}

#[test]
fn a_server_that_always_cuts_at_the_same_place_is_given_up() {
    let file = gz(&content());
    let server = Server::new((0..9).map(|_| Answer::Cut(file.clone(), 40_000)).collect());
    let message = fetch(&[&server], &cache(None)).unwrap_err().to_string();
    assert!(message.contains("the connection broke after 40000 bytes"), "{message}");
    assert_eq!(server.asked(), [None, Some(40_000)]);
}

#[test]
fn a_part_of_another_file_is_dropped_and_the_whole_fetched() {
    let file = gz(&content());
    let server = Server::new(vec![Answer::Range(file.clone()), Answer::Range(file)]);
    let cache = cache(Some(&[7; 40_000]));
    assert_whole(fetch(&[&server], &cache), &cache);
    assert_eq!(server.asked(), [Some(40_000), None]);
}

#[test]
fn a_part_that_is_the_whole_file_needs_its_name_only() {
    let file = gz(&content());
    let server = Server::new(vec![Answer::Status(416)]);
    let cache = cache(Some(&file));
    assert_whole(fetch(&[&server], &cache), &cache);
    assert_eq!(server.asked(), [Some(file.len())]);
}

#[test]
fn a_wrong_checksum_says_what_to_do_and_touches_nothing_else() {
    let mut other = content();
    other[70_000] ^= 1;
    for (body, why) in [(gz(&other), "not the published file: sha256 "), (vec![7; 150_000], "more than 102024 bytes")] {
        let (server, cache) = (Server::new(vec![Answer::Whole(body)]), cache(None));
        for name in ["images.gz", "labels.gz"] {
            fs::write(cache.path().join("pictures").join(name), b"from an earlier time").unwrap();
        }
        let message = fetch(&[&server], &cache).unwrap_err().to_string();
        assert!(message.contains(why) && message.contains("niwaki data get pictures --from DIR"), "{message}");
        assert!(!part(&cache).exists(), "a wrong start would spoil the next run");
        for name in ["images.gz", "labels.gz"] {
            assert_eq!(fs::read(cache.path().join("pictures").join(name)).unwrap(), b"from an earlier time");
        }
    }
}

#[test]
fn the_next_address_is_tried_and_each_failure_is_named() {
    let gone = Server::new(vec![Answer::Status(404), Answer::Status(404)]);
    let good = Server::new(vec![Answer::Whole(gz(&content()))]);
    let place = cache(None);
    assert_whole(fetch(&[&gone, &good], &place), &place);
    let message = fetch(&[&gone], &cache(None)).unwrap_err().to_string();
    assert!(message.contains(&format!("{}images.gz: the server answers 404", gone.address)), "{message}");
}

#[test]
fn without_a_network_the_address_and_the_other_way_are_named() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let address: &'static str = format!("http://{closed}/").leak();
    let message = get(&set(vec![address]), None, cache(None).path(), &mut |_| {}).unwrap_err().to_string();
    for part in ["`pictures` could not be downloaded", address, "https://example.org/pictures", "--from DIR"] {
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn two_processes_do_not_write_the_same_part() {
    let cache = cache(Some(b"half"));
    let held = fs::File::open(part(&cache)).unwrap();
    held.lock().unwrap();
    let error = fetch(&[&Server::new(vec![])], &cache).unwrap_err();
    assert!(matches!(error, GetError::Busy { .. }), "{error}");
    assert_eq!(fs::read(part(&cache)).unwrap(), b"half");
}
