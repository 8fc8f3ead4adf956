use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Host;

use super::*;
use crate::config::fetch::FetchHost;

/// A server on this machine that answers every request with these bytes.
async fn server(answer: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let _ = stream.read(&mut head).await;
            let _ = stream.write_all(&answer).await;
        }
    });
    port
}

fn answer(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    );
    [head.as_bytes(), body].concat()
}

fn allowing(name: &str, port: u16, reach: Reach) -> FetchConfig {
    let host = Host::parse(name).unwrap();
    let host = FetchHost { host, port, scheme: "http", reach, bearer: None };
    let timeout = Duration::from_secs(5);
    FetchConfig { hosts: vec![host], timeout, max_bytes: 1000 }
}

#[tokio::test]
async fn what_is_there_is_fetched_with_its_type() {
    let port = server(answer("200 OK", "Content-Type: image/png\r\n", b"\x89PNG")).await;
    let config = allowing("localhost", port, Reach::Private);
    let fetched = fetch(&config, &format!("http://localhost:{port}/a?b")).await.unwrap();
    assert_eq!(
        fetched,
        Fetched { media_type: "image/png".to_owned(), content: b"\x89PNG".to_vec() }
    );
}

/// Who controls a name can have it lead anywhere at any time.
#[tokio::test]
async fn a_name_that_leads_out_of_reach_is_not_connected_to() {
    let port = server(answer("200 OK", "", b"secret")).await;
    let config = allowing("localhost", port, Reach::Public);
    let error = fetch(&config, &format!("http://localhost:{port}/")).await.unwrap_err();
    assert_eq!(
        error,
        FetchError::Later(format!(
            "http://localhost:{port} cannot be read: its name leads to no address that may be asked"
        ))
    );
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let there = server(answer("200 OK", "", b"secret")).await;
    let location = format!("Location: http://127.0.0.1:{there}/\r\n");
    let port = server(answer("302 Found", &location, b"")).await;
    let config = allowing("127.0.0.1", port, Reach::Private);
    let error = fetch(&config, &format!("http://127.0.0.1:{port}/")).await.unwrap_err();
    let told = format!("http://127.0.0.1:{port} has answered 302 Found");
    assert_eq!(error, FetchError::Later(told));
}

#[tokio::test]
async fn a_file_is_as_large_as_is_allowed_and_not_larger() {
    for (size, fits) in [(1000, true), (1001, false)] {
        let port = server(answer("200 OK", "", &vec![b'x'; size])).await;
        let config = allowing("127.0.0.1", port, Reach::Private);
        let fetched = fetch(&config, &format!("http://127.0.0.1:{port}/")).await;
        assert_eq!(fetched.is_ok(), fits, "{size}: {fetched:?}");
        assert!(fits || matches!(fetched, Err(FetchError::Never(_))));
    }
}

#[test]
fn only_exactly_what_is_named_may_be_asked() {
    let config = allowing("grafana.example.com", 3000, Reach::Public);
    assert!(config.allowed("http://grafana.example.com:3000/render?panel=1").is_ok());
    assert!(config.allowed("http://GRAFANA.example.com:3000/").is_ok());
    for other in [
        "https://grafana.example.com:3000/",
        "http://grafana.example.com/",
        "http://grafana.example.com.evil.net:3000/",
        "http://evilgrafana.example.com:3000/",
        "http://grafana.example.com@evil.net:3000/",
        "http://evil.net#@grafana.example.com:3000/",
        "http://evil.net\\@grafana.example.com:3000/",
        "http://user@grafana.example.com:3000/",
        "http://:pw@grafana.example.com:3000/",
        "http://grafana.example.com.:3000/",
        "file:///etc/passwd",
        "grafana.example.com:3000/",
        "//grafana.example.com:3000/",
        "",
    ] {
        assert!(config.allowed(other).is_err(), "{other}");
    }
}
