//! A certificate of the tests' own.

use std::path::Path;
use std::process::Command;

/// Makes one for so many days, in place of the one before; gives the file.
pub fn certificate(folder: &Path, days: u32) -> String {
    let output = Command::new("openssl")
        .current_dir(folder)
        .args("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(' '))
        .args("-subj /CN=test -keyout tls.key -out new.crt -days".split(' '))
        .arg(days.to_string())
        .output()
        .unwrap_or_else(|error| {
            panic!("openssl does not start ({error}); install it: apt-get install openssl")
        });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    // Replaced whole: it is read at any moment.
    let file = folder.join("tls.crt");
    std::fs::rename(folder.join("new.crt"), &file).unwrap();
    file.display().to_string()
}
