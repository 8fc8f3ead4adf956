//! What must be true before the database is touched: a file system whose locks can be trusted, a
//! SQLite without known corruption, a file that is whole. Nothing here writes.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::sqlite::SqliteConnection;
use tracing::warn;

/// Older ones can corrupt a WAL database when two connections checkpoint at once.
pub(super) const OLDEST_SQLITE: (u32, u32, u32) = (3, 51, 3);

/// Up to this size a file is checked before the start; a larger one is checked behind it.
pub(super) const CHECKED_AT_START: u64 = 256 * 1024 * 1024;

/// What a file system means for a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileSystem {
    /// Nothing is known against it.
    Local,
    /// Something in user space serves it; nobody knows what.
    Fuse,
    /// Other machines have it too: locks and the shared memory of the log cannot be trusted.
    Network(&'static str),
}

/// Names of `f_type` in statfs(2), from `linux/magic.h` and the file systems' own sources.
pub(super) fn judge(magic: u32) -> FileSystem {
    FileSystem::Network(match magic {
        0x6573_5546 => return FileSystem::Fuse,
        0x0000_6969 => "NFS",
        0x0000_517b => "SMB",
        0xff53_4d42 => "CIFS",
        0xfe53_4d42 => "SMB2",
        0x0102_1997 => "9P",
        0x5346_414f | 0x6b41_4653 => "AFS",
        0x00c3_6400 => "Ceph",
        0x0bd0_0bd0 => "Lustre",
        0x0116_1970 => "GFS2",
        0x7461_636f => "OCFS2",
        0x7375_7245 => "Coda",
        0x0000_564c => "NCP",
        0x1983_0326 => "BeeGFS",
        0x4750_4653 => "GPFS",
        0x786f_4256 => "a VirtualBox shared folder",
        0xbacb_acbc => "a VMware shared folder",
        _ => return FileSystem::Local,
    })
}

/// The file system that the database is on, or would be. One that does not tell is not held against
/// anybody.
#[cfg(target_os = "linux")]
pub(super) fn file_system(path: &Path) -> FileSystem {
    let place = if path.exists() { path } else { folder_of(path) };
    // Magic numbers have 32 bits; the type of the field differs by architecture.
    rustix::fs::statfs(place).map_or(FileSystem::Local, |found| judge(found.f_type as u32))
}

/// Elsewhere nobody can be asked.
#[cfg(not(target_os = "linux"))]
pub(super) fn file_system(_path: &Path) -> FileSystem {
    FileSystem::Local
}

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The network file system that the database is on, or would be.
pub(super) fn network(path: &Path) -> Option<&'static str> {
    match file_system(path) {
        FileSystem::Network(name) => return Some(name),
        FileSystem::Fuse => warn!(
            path = %path.display(),
            "{} is on a FUSE file system; if that reaches other machines, its locks cannot be trusted: move the store to a local disk",
            path.display(),
        ),
        FileSystem::Local => {}
    }
    None
}

/// Whether this version of SQLite may be trusted with a store.
pub(super) fn recent_enough(version: &str) -> bool {
    let mut numbers = version.trim().split('.').map(str::parse::<u32>);
    let mut next = || numbers.next().and_then(Result::ok);
    let (Some(major), Some(minor)) = (next(), next()) else { return false };
    (major, minor, next().unwrap_or(0)) >= OLDEST_SQLITE
}

/// Whether the process before this one was cut off: a clean stop folds the log into the database.
pub(super) fn was_cut_off(path: &Path) -> bool {
    size_of(&beside(path, "-wal")) > 0
}

pub(super) fn size_of(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |found| found.len())
}

/// The file whose name is that of the database with something after it.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes durable which files the folder of `path` holds.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder_of(path))?.sync_all()
}

/// What is wrong with the file's structure; `None` if nothing is, or if `stop` was set.
pub(super) async fn quick_check(
    db: &mut SqliteConnection,
    stop: &Arc<AtomicBool>,
) -> Result<Option<String>, sqlx::Error> {
    let asked = stop.clone();
    db.lock_handle().await?.set_progress_handler(10_000, move || !asked.load(Ordering::Relaxed));
    let found: Result<Vec<String>, _> =
        sqlx::query_scalar("PRAGMA quick_check(5)").fetch_all(&mut *db).await;
    db.lock_handle().await?.remove_progress_handler();
    match found {
        Ok(lines) if lines.iter().all(|line| line == "ok") => Ok(None),
        Ok(_) | Err(_) if stop.load(Ordering::Relaxed) => Ok(None),
        Ok(lines) => Ok(Some(lines.join("; "))),
        Err(error) if is_damage(&error) => Ok(Some(error.to_string())),
        Err(error) => Err(error),
    }
}

/// `SQLITE_CORRUPT`, in any of its shades.
pub(super) fn is_damage(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.and_then(|code| code.parse::<i32>().ok()).is_some_and(|code| code & 0xff == 11)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_file_systems_are_told_from_local_ones_by_their_magic_number() {
        for (magic, name) in [
            (0x6969, "NFS"),
            (0x517b, "SMB"),
            (0xff53_4d42, "CIFS"),
            (0xfe53_4d42, "SMB2"),
            (0x0102_1997, "9P"),
            (0x5346_414f, "AFS"),
            (0x00c3_6400, "Ceph"),
            (0x0bd0_0bd0, "Lustre"),
            (0x0116_1970, "GFS2"),
            (0x7461_636f, "OCFS2"),
            (0x7375_7245, "Coda"),
            (0x564c, "NCP"),
        ] {
            assert_eq!(judge(magic), FileSystem::Network(name), "{magic:#x}");
        }
        assert_eq!(judge(0x6573_5546), FileSystem::Fuse);
        // ext4, xfs, btrfs, tmpfs, overlayfs, zfs
        for magic in [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0x794c_7630, 0x2fc1_2fc1] {
            assert_eq!(judge(magic), FileSystem::Local, "{magic:#x}");
        }
    }

    #[test]
    fn sqlite_before_3_51_3_is_too_old() {
        for old in ["3.51.2", "3.50.9", "3.9.0", "2.99.99", "3.51", "", "x.y.z", "3"] {
            assert!(!recent_enough(old), "{old}");
        }
        for new in ["3.51.3", "3.51.10", "3.52.0", "3.100.0", "4.0.0", "3.51.3.1"] {
            assert!(recent_enough(new), "{new}");
        }
    }
}
