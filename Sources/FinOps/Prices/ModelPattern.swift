/// A name in a price entry's `match`: `*` is any run of characters, also an empty one, `#` exactly one digit.
struct ModelPattern: Hashable, Sendable {
    private let bytes: [UInt8]
    /// How much of it is literal: the pattern with more wins.
    let literalCount: Int

    /// - Returns: nil for a plain name, which is no pattern.
    init?(_ text: String) {
        bytes = Array(text.utf8)
        literalCount = text.count { $0 != "*" && $0 != "#" }
        guard bytes.contains(where: { $0 == Self.star || $0 == Self.digit }) else { return nil }
    }

    private static let star = UInt8(ascii: "*")
    private static let digit = UInt8(ascii: "#")

    /// Linear backtracking to the last star: no pattern can make it slow.
    func matches(_ name: String) -> Bool {
        let name = Array(name.utf8)
        var at = 0
        var place = 0
        var retry: (pattern: Int, name: Int)?
        while at < name.count {
            if place < bytes.count, bytes[place] == Self.star {
                retry = (place, at)
                place += 1
            } else if place < bytes.count, Self.fits(bytes[place], name[at]) {
                place += 1
                at += 1
            } else if let back = retry {
                place = back.pattern + 1
                at = back.name + 1
                retry = (back.pattern, at)
            } else {
                return false
            }
        }
        return bytes[place...].allSatisfy { $0 == Self.star }
    }

    private static func fits(_ pattern: UInt8, _ byte: UInt8) -> Bool {
        pattern == digit ? (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) : pattern == byte
    }
}

/// What a provider appends to a model's name to pin it: `-2024-07-18`, `-20240718`, `@…`.
enum ModelSuffix {
    /// The name without its last such suffix; nil if it has none.
    static func dropped(from name: String) -> String? {
        if let at = name.lastIndex(of: "@"), at > name.startIndex { return String(name[..<at]) }
        let shape = String(name.suffix(11).map { $0.isASCII && $0.isNumber ? "#" : $0 })
        if shape == "-####-##-##", name.count > 11 { return String(name.dropLast(11)) }
        if shape.hasSuffix("-########"), name.count > 9 { return String(name.dropLast(9)) }
        return nil
    }
}
