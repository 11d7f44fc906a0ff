import Glibc

private let zoneDirectory = "/usr/share/zoneinfo"

/// Whether the system knows a zone. Asking its files costs nothing; asking Foundation loads all of its calendar data into
/// programs that never show a local time. On a system without zone files only the spelling is checked.
package func isTimeZone(_ name: String) -> Bool {
    let isSpelledWell = name.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { part in
        !part.isEmpty && part.first != "." && part.first != "-"
            && part.utf8.allSatisfy {
                switch $0 {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "+"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
    guard isSpelledWell, name.utf8.count <= 64 else { return false }
    guard isDirectory(zoneDirectory) else { return true }
    let path = "\(zoneDirectory)/\(name)"
    return access(path, R_OK) == 0 && !isDirectory(path)
}
