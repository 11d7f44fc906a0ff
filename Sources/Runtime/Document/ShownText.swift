import Secret

/// A value from a file or variable as a message may show it: what looks like a credential, because somebody put one in the
/// wrong place, only masked.
func shown(_ value: String) -> String {
    let longest = value.split { !($0.isASCII && ($0.isLetter || $0.isNumber || "-_".contains($0))) }.max {
        $0.utf8.count < $1.utf8.count
    }
    let isCredential =
        value.contains("sk-")
        || (longest ?? "").utf8.count >= 20 && value.contains(where: \.isNumber) && value.contains(where: \.isLetter)
    return isCredential ? Secret(Array(value.utf8)).mask : value
}
