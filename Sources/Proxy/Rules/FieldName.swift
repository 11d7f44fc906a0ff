import NIOHTTP1

/// Compares field names, whose case does not count, without making new strings.
enum FieldName {
    /// - Parameter lower: letters in lower case and hyphens.
    static func isSame(_ name: some StringProtocol, _ lower: StaticString) -> Bool {
        let bytes = name.utf8
        guard bytes.count == lower.utf8CodeUnitCount else { return false }
        return hasPrefix(name, lower)
    }

    /// - Parameter lower: letters in lower case and hyphens.
    static func hasPrefix(_ name: some StringProtocol, _ lower: StaticString) -> Bool {
        var expected = lower.utf8Start
        let end = expected + lower.utf8CodeUnitCount
        for byte in name.utf8 {
            if expected == end { return true }
            guard byte | 0x20 == expected.pointee else { return false }
            expected += 1
        }
        return expected == end
    }
}

/// The members of a comma-separated field, without the space around them and without empty ones.
struct FieldList: Sequence {
    let value: String

    func makeIterator() -> Array<Substring>.Iterator {
        value.utf8.split(separator: UInt8(ascii: ",")).map { Substring(Self.trimmed($0)) }.filter { !$0.isEmpty }
            .makeIterator()
    }

    private static func trimmed(_ part: Substring.UTF8View) -> Substring.UTF8View {
        var part = part
        while let first = part.first, first == 0x20 || first == 0x09 { part.removeFirst() }
        while let last = part.last, last == 0x20 || last == 0x09 { part.removeLast() }
        return part
    }
}
