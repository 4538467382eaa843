//! What the store's library leaves behind and cannot remove any more.
//!
//! It forgets an upload before it is done with its parts: when it is stopped meanwhile, or a part arrives
//! while its upload is aborted, files stay that belong to no upload it knows. At the start nobody uploads.

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// What kind of file of an upload a name is.
enum FileOfUpload<'n> {
    /// The one by which the library knows the upload.
    Record(&'n str),
    /// A part of it, or what its object will be told of.
    Content(&'n str),
}

/// Removes the files of uploads that the library does not know, and returns how many those were.
pub(super) fn sweep(root: &Path) -> io::Result<usize> {
    let mut known = HashSet::new();
    let mut contents: Vec<(String, PathBuf)> = Vec::new();
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        let name = entry.file_name();
        match name.to_str().and_then(FileOfUpload::named) {
            Some(FileOfUpload::Record(id)) => drop(known.insert(id.to_owned())),
            Some(FileOfUpload::Content(id)) => contents.push((id.to_owned(), entry.path())),
            None => {}
        }
    }
    contents.retain(|(id, _)| !known.contains(id));
    for (_, path) in &contents {
        fs::remove_file(path)?;
    }
    Ok(contents.len())
}

impl<'n> FileOfUpload<'n> {
    fn named(name: &'n str) -> Option<Self> {
        if let Some(part) = name.strip_prefix(".upload_id-") {
            let (id, _) = part.split_once(".part-")?;
            return Some(Self::Content(id));
        }
        if let Some(record) = name.strip_prefix(".upload-") {
            return Some(Self::Record(record.strip_suffix(".json")?));
        }
        let of_object = name.strip_prefix(".bucket-")?;
        let (_, id) = of_object
            .strip_suffix(".metadata.json")?
            .split_once(".upload-")?;
        Some(Self::Content(id))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn files_of_unknown_uploads_go_and_nothing_else() {
        const KEPT: [&str; 7] = [
            ".upload-aa.json",
            ".upload_id-aa.part-1",
            ".upload_id-aa.part-2",
            ".bucket-d2F5.object-YQ.upload-aa.metadata.json",
            ".bucket-d2F5.object-YQ.metadata.json",
            ".bucket-d2F5.object-YQ.internal.json",
            "waybill",
        ];
        const SWEPT: [&str; 3] = [
            ".upload_id-bb.part-1",
            ".upload_id-bb.part-10",
            ".bucket-d2F5.object-YQ.upload-bb.metadata.json",
        ];
        let root = TempDir::new().expect("a folder for the test");
        for name in KEPT.iter().chain(&SWEPT) {
            fs::write(root.path().join(name), "").expect("a file is written");
        }
        assert_eq!(sweep(root.path()).expect("it is swept"), SWEPT.len());
        for name in KEPT {
            assert!(root.path().join(name).is_file(), "{name}");
        }
        for name in SWEPT {
            assert!(!root.path().join(name).exists(), "{name}");
        }
        assert_eq!(sweep(root.path()).expect("it is swept"), 0);
    }
}
