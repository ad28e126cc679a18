//! User agents as the clients really send them.
use std::io::Write;

use super::draw::Draw;

/// A client: its agent string, and whether a counter in it changes per instance.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    head: String,
    /// Tail after the instance counter; only .NET v3 has one.
    counted_tail: Option<String>,
}

impl Agent {
    /// A fixed string.
    pub(crate) fn fixed(text: impl Into<String>) -> Agent {
        Agent { head: text.into(), counted_tail: None }
    }
    /// Writes the agent; `instance` fills the .NET client counter.
    pub(crate) fn write(&self, instance: usize, out: &mut Vec<u8>) {
        out.extend_from_slice(self.head.as_bytes());
        if let Some(tail) = &self.counted_tail {
            // Writing to a vector cannot fail.
            let _ = write!(out, "{}", instance % 11);
            out.extend_from_slice(tail.as_bytes());
        }
    }
}

/// .NET SDK v3, Direct or Gateway.
pub(crate) fn dotnet(draw: &mut Draw) -> Agent {
    let version = *draw.pick(&["3.35.4", "3.38.1", "3.41.0", "3.46.1", "3.49.0"]);
    let (arch, system, runtime) = *draw.pick(&[
        ("X64", "Ubuntu 22.04.5 LTS", ".NET 8.0.11"),
        ("X64", "Linux 5.15.0-1073-azure", ".NET 6.0.36"),
        ("X64", "Microsoft Windows 10.0.20348", ".NET 8.0.10"),
        ("X64", "Debian GNU/Linux 12 (bookworm)", ".NET 8.0.11"),
        ("Arm64", "Ubuntu 24.04.1 LTS", ".NET 9.0.0"),
    ]);
    let tail = format!("|{arch}|{system}|{runtime}|L|");
    Agent { head: format!("cosmos-netstandard-sdk/{version}|"), counted_tail: Some(tail) }
}

/// Java SDK v4.
pub(crate) fn java(draw: &mut Draw) -> Agent {
    let version = *draw.pick(&["4.45.1", "4.53.0", "4.59.0", "4.63.3"]);
    let jre = *draw.pick(&["11.0.24", "17.0.12", "21.0.4"]);
    Agent::fixed(format!("azsdk-java-cosmos/{version} Linux/5.15.0-1073-azure JRE/{jre}"))
}

/// Python SDK v4.
pub(crate) fn python(draw: &mut Draw) -> Agent {
    let version = *draw.pick(&["4.5.1", "4.7.0", "4.9.0"]);
    let (python, system) = *draw.pick(&[
        ("3.10.16", "Linux-5.15.0-1073-azure-x86_64-with-glibc2.35"),
        ("3.11.9", "Linux-6.5.0-1025-azure-x86_64-with-glibc2.31"),
        ("3.12.3", "Windows-10-10.0.26100-SP0"),
        ("3.12.7", "macOS-14.6.1-arm64-arm-64bit"),
    ]);
    Agent::fixed(format!("azsdk-python-cosmos/{version} Python/{python} ({system})"))
}

/// JavaScript SDK.
pub(crate) fn node(draw: &mut Draw) -> Agent {
    let (node, sdk) =
        *draw.pick(&[("v18.20.4", "3.17.3"), ("v20.17.0", "4.1.1"), ("v22.9.0", "4.2.0")]);
    Agent::fixed(format!("Node.js/{node} (linux; x64) azure-cosmos-js/{sdk}"))
}

/// A browser on the portal's Data Explorer.
pub(crate) fn browser(draw: &mut Draw) -> Agent {
    let chrome = 112 + draw.below(18);
    let edge = if draw.chance(0.4) { format!(" Edg/{chrome}.0.0.0") } else { String::new() };
    Agent::fixed(format!(
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{chrome}.0.0.0 Safari/537.36{edge}"
    ))
}

/// A service's SDK: any of the four families.
pub(crate) fn service(draw: &mut Draw) -> Agent {
    match draw.below(10) {
        0..=4 => dotnet(draw),
        5 | 6 => java(draw),
        7 | 8 => node(draw),
        _ => python(draw),
    }
}

/// What a person at a desk (or someone with a stolen key) runs.
pub(crate) fn desk(draw: &mut Draw) -> Agent {
    match draw.below(5) {
        0 | 1 => python(draw),
        2 => Agent::fixed("PostmanRuntime/7.39.0"),
        3 => node(draw),
        _ => dotnet(draw),
    }
}

/// Internet-wide scanners that knock without a key.
pub(crate) fn scanner(draw: &mut Draw) -> Agent {
    Agent::fixed(*draw.pick(&[
        "python-requests/2.32.3",
        "Go-http-client/1.1",
        "Mozilla/5.0 zgrab/0.x",
        "curl/8.5.0",
    ]))
}

/// The service's own gateway.
pub(crate) fn internal() -> Agent {
    Agent::fixed("Microsoft.Azure.Documents.Common/2.14.0")
}
