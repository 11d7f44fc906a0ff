internal import Foundation

/// A name that people give to a team, a project or an account: in any script, in Unicode's composed form, so that what
/// looks the same is the same.
package struct GivenName: Hashable, Sendable, CustomStringConvertible {
    /// 1 to `bytesLimit` bytes in composed form, without invisible characters and without blanks at either end.
    package let text: String

    /// Stream names hold them, beside a provider's name and a day.
    package static let bytesLimit = 120

    /// - Parameter field: how the message calls it, such as `team`.
    /// - Throws: `MalformedName`, whose text says what is wrong where.
    package init(_ text: String, field: String) throws(MalformedName) {
        let composed = text.precomposedStringWithCanonicalMapping
        func malformed(_ reason: String) -> MalformedName { MalformedName(field: field, reason: reason) }
        guard !composed.isEmpty else { throw malformed("is empty; give it a name") }
        guard composed.utf8.count <= Self.bytesLimit else {
            throw malformed(
                "has \(composed.utf8.count) bytes; use at most \(Self.bytesLimit) (a Hangul syllable has 3)")
        }
        for (index, scalar) in composed.unicodeScalars.enumerated() where Self.isInvisible(scalar) {
            let code = String(scalar.value, radix: 16, uppercase: true)
            throw malformed("has the invisible character U+\(code) at place \(index + 1); leave it out")
        }
        guard composed.first?.isWhitespace == false, composed.last?.isWhitespace == false else {
            throw malformed("begins or ends with a blank; leave it out")
        }
        // Filters say `--team none` for what no team claims.
        guard composed.lowercased() != Self.reserved else {
            throw malformed("is the word that reports use for what belongs to no one; give it another name")
        }
        self.text = composed
    }

    private static let reserved = "none"

    package var description: String { text }

    private static func isInvisible(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
        default: false
        }
    }
}

/// Why a text is not a name.
package struct MalformedName: Error, Hashable, Sendable, CustomStringConvertible {
    package let field: String
    /// Completes the sentence "it …".
    package let reason: String

    package var description: String { "\(field): it \(reason)" }
}
