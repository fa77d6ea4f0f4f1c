//! A small HTTP/1.1 server on loopback for tests: one request per connection, every wait bounded, ended by dropping it.
//! Needs std alone, so unit tests include this file by path.

use std::{
    collections::BTreeMap,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

/// What a client asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `GET` and the like.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Where a `Range: bytes=N-` starts.
    pub range: Option<usize>,
    /// `User-Agent`.
    pub agent: String,
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `If-None-Match`.
    pub none_match: Option<String>,
    /// `If-Modified-Since`.
    pub modified_since: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `Content-Range`.
    pub content_range: Option<String>,
    /// What was sent.
    pub body: Vec<u8>,
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Further headers; `Content-Length` and `Connection` are added unless `bare`.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// Only this much of the body is sent before the connection is closed.
    pub cut: Option<usize>,
    /// No `Content-Length`.
    pub bare: bool,
    /// Wait before the body.
    pub pause: Duration,
    /// One byte of the body at a time, with this wait between them.
    pub drip: Option<Duration>,
    /// The body again and again, in chunks, until the client has enough of it.
    pub endless: bool,
    /// The connection is closed without a word.
    pub hang_up: bool,
}

impl Answer {
    /// 200 with this body.
    pub fn ok(body: impl Into<Vec<u8>>) -> Self {
        Self { status: 200, body: body.into(), ..Self::default() }
    }

    /// A status and nothing else.
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    /// The connection is closed without a word.
    pub fn silence() -> Self {
        Self::default()
    }

    /// 200 or, when a range is asked for, 206 with the rest.
    pub fn file(request: &Request, body: &[u8]) -> Self {
        match request.range {
            Some(start) if start < body.len() => Self {
                status: 206,
                headers: vec![("Content-Range", format!("bytes {start}-{}/{}", body.len() - 1, body.len()))],
                body: body[start..].into(),
                ..Self::default()
            },
            Some(_) => Self::status(416),
            None => Self::ok(body),
        }
    }

    /// Closes after `n` bytes of the body.
    pub fn cut(self, n: usize) -> Self {
        Self { cut: Some(n), ..self }
    }

    /// Adds a header.
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// Bytes of one request at most.
const MOST: u64 = 64 << 20;

type Handler = dyn Fn(&Request, usize) -> Answer + Send + Sync;

/// A running server.
pub struct Server {
    /// `http://127.0.0.1:PORT`.
    pub url: String,
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    address: std::net::SocketAddr,
}

impl Server {
    /// Answers with `handler`, which is told the number of requests before.
    pub fn start(handler: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (requests, stop) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let handler: Arc<Handler> = Arc::new(handler);
        let (seen, ended) = (Arc::clone(&requests), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut workers = Vec::new();
            for stream in listener.incoming() {
                if ended.load(Ordering::SeqCst) {
                    break;
                }
                let (handler, seen) = (Arc::clone(&handler), Arc::clone(&seen));
                workers.extend(stream.ok().map(|stream| std::thread::spawn(move || serve(stream, &*handler, &seen))));
            }
            for worker in workers {
                let _ = worker.join();
            }
        });
        Self { url: format!("http://{address}"), requests, stop, thread: Some(thread), address }
    }

    /// Serves these files by path (with a leading slash), ranges too; 404 for others.
    pub fn files(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self::start(move |request, _| match files.get(&request.path) {
            Some(body) => Answer::file(request, body),
            None => Answer::status(404),
        })
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: TcpStream, handler: &Handler, seen: &Mutex<Vec<Request>>) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = stream.set_write_timeout(Some(Duration::from_secs(5)));
    let Ok(reading) = stream.try_clone() else { return };
    let Some(request) = read(&mut BufReader::new(reading.take(MOST))) else { return };
    let count = {
        let mut seen = seen.lock().unwrap();
        seen.push(request.clone());
        seen.len() - 1
    };
    let answered = handler(&request, count);
    if !answered.hang_up {
        let _ = answer(stream, &answered, request.method == "HEAD");
    }
}

fn read(from: &mut impl std::io::BufRead) -> Option<Request> {
    let mut lines = from.by_ref().lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut length = 0u64;
    let mut request = Request {
        method,
        path,
        content_type: None,
        content_range: None,
        body: Vec::new(),
        range: None,
        agent: String::new(),
        authorization: None,
        none_match: None,
        modified_since: None,
    };
    for line in lines {
        let line = line.ok()?;
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "range" => request.range = value.trim().strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok(),
            "authorization" => request.authorization = Some(value.trim().into()),
            "user-agent" => request.agent = value.trim().into(),
            "if-none-match" => request.none_match = Some(value.trim().into()),
            "if-modified-since" => request.modified_since = Some(value.trim().into()),
            "content-type" => request.content_type = Some(value.trim().into()),
            "content-range" => request.content_range = Some(value.trim().into()),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    request.body = vec![0; usize::try_from(length).ok().filter(|length| *length as u64 <= MOST)?];
    from.read_exact(&mut request.body).ok()?;
    Some(request)
}

fn answer(mut stream: TcpStream, answer: &Answer, head_only: bool) -> std::io::Result<()> {
    if answer.status == 0 {
        return Ok(());
    }
    let mut head = format!("HTTP/1.1 {} x\r\nConnection: close\r\n", answer.status);
    if answer.endless {
        head += "Transfer-Encoding: chunked\r\n";
    } else if !answer.bare {
        head += &format!("Content-Length: {}\r\n", answer.body.len());
    }
    for (name, value) in &answer.headers {
        head += &format!("{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes())?;
    std::thread::sleep(answer.pause);
    if head_only {
        return stream.flush();
    }
    if answer.endless {
        let chunk = [format!("{:x}\r\n", answer.body.len()).as_bytes(), &answer.body, b"\r\n"].concat();
        // Nobody takes a gigabyte.
        return (0..(1 << 30) / chunk.len()).try_for_each(|_| stream.write_all(&chunk));
    }
    let body = &answer.body[..answer.cut.unwrap_or(answer.body.len()).min(answer.body.len())];
    match answer.drip {
        None => stream.write_all(body)?,
        Some(pause) => {
            for byte in body {
                stream.write_all(&[*byte])?;
                stream.flush()?;
                std::thread::sleep(pause);
            }
        }
    }
    stream.flush()
}
