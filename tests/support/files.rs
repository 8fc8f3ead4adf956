//! The files of a daemon: the example's rules and templates, and a config of its own.

use std::path::{Path, PathBuf};

use casewright::sandbox::Credentials;
use tempfile::TempDir;

/// How a test's daemon is configured.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    pub(crate) listen: String,
    pub(crate) admin_listen: String,
    pub(crate) vendor: String,
    /// Not before this time is it believed that a lost case does not exist.
    pub(crate) window: &'static str,
    /// When the vendor is left alone.
    pub(crate) breaker: &'static str,
    /// How often the vendor is asked what it did with cases.
    pub(crate) watch: &'static str,
    /// The address of a second vendor. Then the rules are others: those that say which vendor.
    pub(crate) other: Option<String>,
}

impl Layout {
    /// Free ports, and a vendor whose records never lag and that is hardly ever left alone.
    pub(crate) fn of(vendor: String) -> Self {
        let free = "127.0.0.1:0".to_owned();
        Self {
            listen: free.clone(),
            admin_listen: free,
            vendor,
            window: "400ms",
            breaker: "{ failures: 20, pause: 200ms, max_pause: 1s }",
            // A test that counts requests counts its own.
            watch: "off",
            other: None,
        }
    }
}

/// A folder that goes away with the test, unless the test failed.
#[derive(Debug)]
pub(crate) struct Files {
    folder: Option<TempDir>,
}

impl Files {
    pub(crate) fn write(layout: &Layout) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let rules = folder.path().join("rules");
        std::fs::create_dir(&rules).expect("a folder");
        let examples = std::fs::read_dir(here.join("config/rules")).expect("the example's rules");
        for file in examples.take_while(|_| layout.other.is_none()) {
            let file = file.expect("a file");
            std::fs::copy(file.path(), rules.join(file.file_name())).expect("a copy");
        }
        let config = config(layout, &here.join("templates"));
        let files = Self { folder: Some(folder) };
        let own = match layout.other {
            None => include_str!("rules.yaml"),
            Some(_) => include_str!("two_vendors.yaml"),
        };
        std::fs::write(files.rules(), own).expect("written");
        std::fs::write(files.config(), config).expect("written");
        files
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.as_ref().expect("it is there until dropped").path().join(name)
    }

    /// Changes a file as a person does: `from` must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.path(name);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(!from.is_empty() && text.contains(from), "{from:?} is not in {name}");
        std::fs::write(path, text.replace(from, to)).expect("written");
    }

    /// The file of the tests' own rules.
    pub(crate) fn rules(&self) -> PathBuf {
        self.path("rules/90-tests.yaml")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("casewright.yaml")
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path("casewright.db")
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if let Some(folder) = self.folder.take().filter(|_| std::thread::panicking()) {
            eprintln!("the files of the failed test are in {}", folder.keep().display());
        }
    }
}

fn config(layout: &Layout, templates: &Path) -> String {
    let Layout { listen, admin_listen, vendor: base_url, other, .. } = layout;
    let templates = templates.display();
    let first = vendor("akamai", base_url, layout);
    let second = other.as_ref().map_or(String::new(), |base| vendor("other", base, layout));
    format!(
        "
server: {{ listen: '{listen}', admin_listen: '{admin_listen}', reload_on_change: false }}
store: {{ sqlite: casewright.db }}
rules: [rules/*.yaml]
limits: off
templates: {templates}
sources:
  - {{ name: alertmanager, kind: alertmanager, auth: {{ bearer: [demo-token] }} }}
  - {{ name: pagerduty, kind: pagerduty, secrets: [demo-secret] }}
vendors:{first}{second}
"
    )
}

fn vendor(name: &str, base_url: &str, layout: &Layout) -> String {
    let Layout { window, breaker, watch, .. } = layout;
    let Credentials { client_token, client_secret, access_token } = Credentials::demo();
    format!(
        "
  - name: {name}
    kind: akamai
    base_url: {base_url}
    credentials:
      client_token: {client_token}
      client_secret: {client_secret}
      access_token: {access_token}
    timeout: 1s
    retry: {{ initial: 50ms, max: 300ms, horizon: 72h }}
    reconcile: {{ window: {window}, looks: 3 }}
    breaker: {breaker}
    watch: {watch}
    rate: {{ per_second: 500, burst: 500 }}"
    )
}
