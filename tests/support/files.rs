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
}

impl Layout {
    /// Free ports, and a vendor whose records never lag.
    pub(crate) fn of(vendor: String) -> Self {
        let free = "127.0.0.1:0".to_owned();
        Self { listen: free.clone(), admin_listen: free, vendor, window: "400ms" }
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
        for file in std::fs::read_dir(here.join("config/rules")).expect("the example's rules") {
            let file = file.expect("a file");
            std::fs::copy(file.path(), rules.join(file.file_name())).expect("a copy");
        }
        std::fs::write(rules.join("90-tests.yaml"), include_str!("rules.yaml")).expect("written");
        let config = config(layout, &here.join("templates"));
        std::fs::write(folder.path().join("casewright.yaml"), config).expect("written");
        Self { folder: Some(folder) }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.as_ref().expect("it is there until dropped").path().join(name)
    }

    /// Changes a file as a person does: `from` must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let path = self.path(name);
        let text = std::fs::read_to_string(&path).expect("a file");
        assert!(text.contains(from), "{from:?} is not in {name}");
        std::fs::write(path, text.replace(from, to)).expect("written");
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
    let Layout { listen, admin_listen, vendor, window } = layout;
    let Credentials { client_token, client_secret, access_token } = Credentials::demo();
    let templates = templates.display();
    format!(
        "
server: {{ listen: '{listen}', admin_listen: '{admin_listen}' }}
store: {{ sqlite: casewright.db }}
rules: [rules/*.yaml]
templates: {templates}
sources:
  - {{ name: alertmanager, kind: alertmanager, auth: {{ bearer: [demo-token] }} }}
  - {{ name: pagerduty, kind: pagerduty, secrets: [demo-secret] }}
vendors:
  - name: akamai
    kind: akamai
    base_url: {vendor}
    credentials:
      client_token: {client_token}
      client_secret: {client_secret}
      access_token: {access_token}
    timeout: 1s
    retry: {{ initial: 50ms, max: 300ms, horizon: 72h }}
    reconcile: {{ window: {window}, looks: 3 }}
    breaker: {{ failures: 20, pause: 200ms, max_pause: 1s }}
    rate: {{ per_second: 500, burst: 500 }}
"
    )
}
