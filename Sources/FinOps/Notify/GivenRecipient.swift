/// Somebody whom alerts are mailed to, and in which language: `lee@example.com:en`, Korean where nothing is said.
package struct GivenRecipient: Hashable, Sendable {
    /// The languages that messages are written in.
    package enum Language: String, Hashable, Sendable, CaseIterable { case ko, en }

    package let address: GivenAddress
    package let language: Language

    /// Resend takes so many in one mail, and a list that long should be a mailing list.
    package static let most = 50

    /// Reads `A,B:en`.
    /// - Throws: `MalformedRecipients`, whose text names the place and does not repeat the address.
    package static func list(_ text: String) throws(MalformedRecipients) -> [GivenRecipient] {
        let items = text.split(separator: ",", omittingEmptySubsequences: false)
        guard items.count <= most else {
            throw MalformedRecipients("has \(items.count) addresses; use at most \(most), or a mailing list")
        }
        var recipients: [GivenRecipient] = []
        for (index, item) in items.enumerated() {
            let recipient = try recipient(trimmed(item), place: index + 1)
            if let first = recipients.firstIndex(where: { $0.address == recipient.address }) {
                throw MalformedRecipients("names one address twice, at places \(first + 1) and \(index + 1)")
            }
            recipients.append(recipient)
        }
        return recipients
    }

    private static func recipient(_ text: Substring, place: Int) throws(MalformedRecipients) -> GivenRecipient {
        let halves = text.split(separator: ":", omittingEmptySubsequences: false)
        guard let language = halves.count == 1 ? .ko : Language(rawValue: String(halves[halves.count - 1])),
            halves.count <= 2
        else {
            throw MalformedRecipients("has no language after the colon at place \(place); write kim@example.com:en")
        }
        do {
            return GivenRecipient(address: try GivenAddress(String(halves[0])), language: language)
        } catch {
            throw MalformedRecipients("has no address at place \(place): \(error)")
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text.drop { $0 == " " }
        while text.last == " " { text.removeLast() }
        return text
    }
}

/// A mail address in its plain form, in ASCII, fit for a header and an envelope.
package struct GivenAddress: Hashable, Sendable {
    /// The domain in lower case.
    package let text: String

    /// - Throws: `MalformedMailAddress`, whose text does not repeat the address.
    package init(_ text: String) throws(MalformedMailAddress) {
        if let place = text.unicodeScalars.enumerated().first(where: { !(0x21...0x7E).contains($0.element.value) }) {
            throw MalformedMailAddress(reason: "has a character at place \(place.offset + 1) that no address has")
        }
        let halves = text.split(separator: "@", omittingEmptySubsequences: false)
        guard halves.count == 2 else { throw MalformedMailAddress(reason: "needs one @") }
        guard (1...64).contains(halves[0].utf8.count), Self.areWords(halves[0], Self.isLocal) else {
            throw MalformedMailAddress(reason: "is malformed before the @")
        }
        guard (1...189).contains(halves[1].utf8.count), Self.areWords(halves[1], Self.isPlain) else {
            throw MalformedMailAddress(reason: "is malformed after the @")
        }
        self.text = "\(halves[0])@\(halves[1].lowercased())"
    }

    /// As much of it as lists show: `k…@example.com`.
    package var masked: String { Self.mask(text) }

    /// The same of an address that was accepted earlier.
    package static func mask(_ text: String) -> String {
        String(text.prefix(1)) + "…" + text[(text.lastIndex(of: "@") ?? text.endIndex)...]
    }

    /// Words with dots between them.
    private static func areWords(_ text: Substring, _ isPart: (UInt8) -> Bool) -> Bool {
        text.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { word in
            !word.isEmpty && word.utf8.allSatisfy(isPart)
        }
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// RFC 5322's atoms; quoted local parts are history.
    private static func isLocal(_ byte: UInt8) -> Bool { isPlain(byte) || "!#$%&'*+/=?^_`{|}~".utf8.contains(byte) }
}

/// Why a text is not a mail address.
package struct MalformedMailAddress: Error, Hashable, Sendable, CustomStringConvertible {
    /// Completes the sentence "it …".
    package let reason: String

    package var description: String { "it \(reason); write it like kim@example.com" }
}

/// Why a text is not a list of recipients.
package struct MalformedRecipients: Error, Hashable, Sendable, CustomStringConvertible {
    /// Completes the sentence "it …".
    package let reason: String

    fileprivate init(_ reason: String) { self.reason = reason }

    package var description: String { "it \(reason)" }
}
