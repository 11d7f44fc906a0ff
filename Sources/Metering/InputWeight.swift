/// How large a request's input is, before anything was sent.
package struct InputWeight: Hashable, Sendable {
    /// Bytes of the body that may be text: no tokenizer in use makes more than one token of a byte, and the JSON around a
    /// text is longer than the tokens a server puts around it.
    package internal(set) var textBytes: Int64 = 0
    /// Images, in the body or at an address.
    package internal(set) var images: Int64 = 0
    /// Bytes of audio as base64 or as a file.
    package internal(set) var audioBytes: Int64 = 0
    /// More input than the body shows may be charged: an earlier answer, a stored file, what a hosted tool finds.
    package internal(set) var isOpen = false
    /// Parts are marked for the cache, so that writing it is charged.
    package internal(set) var writesCache = false
    /// What an image may cost at most, in tokens.
    var tokensPerImage: Int64 = 50_000

    /// A likely number of tokens, for calls whose usage was never told: four bytes each, images at a fiftieth of the bound.
    package var likelyTokens: Int64 {
        (textBytes + 3) / 4 + images * (tokensPerImage / 50) + audioBytes / 1_000
    }

    /// A likely length of the sound, at the 8,000 bytes a second of a recorded voice.
    package var likelySeconds: Int64 { (audioBytes + 7_999) / 8_000 }

    /// No call has more input tokens, unless `isOpen`.
    package var tokenBound: Int64 { textBytes + images * tokensPerImage + audioTokenBound }

    /// At most ten tokens a second, and base64 of the thriftiest speech codec has 750 bytes a second.
    package var audioTokenBound: Int64 { (audioBytes + 63) / 64 }
}

/// Weighs a JSON body while it is read: pictures and sound are not text, though they are the most bytes.
struct InputWeighing {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let dialect: Dialect
    private var heavy: Int64 = 0
    private var found = InputWeight()
    private var name = 0..<0

    /// Shorter strings are taken for text.
    private static let shortest = 64

    init(bytes: UnsafeBufferPointer<UInt8>, dialect: Dialect) {
        self.bytes = bytes
        self.dialect = dialect
        // At most 48,169 tokens (gpt-4o-mini, high detail); 4,784 with Anthropic.
        found.tokensPerImage = dialect == .openai ? 50_000 : 5_000
    }

    var weight: InputWeight {
        var weight = found
        weight.textBytes = Int64(bytes.count) - heavy
        return weight
    }

    mutating func name(_ piece: JSONPiece) {
        name = piece.range
        if isNamed("file_id") || isNamed("vector_store_ids") { found.isOpen = true }
        if isNamed("cache_control") { found.writesCache = true }
    }

    mutating func value(_ piece: JSONPiece) {
        guard piece.kind == .string else { return }
        if isNamed("type"), Self.openTools.contains(where: { begins(piece, $0) }) { found.isOpen = true }
        if begins(piece, "http"), isNamed("url") || isNamed("image_url") || isNamed("file_url") {
            found.images += 1
            if isNamed("file_url") { found.isOpen = true }
        }
        guard piece.range.count >= Self.shortest else { return }
        if begins(piece, "data:image/") {
            takeImage(piece)
        } else if begins(piece, "data:audio/") {
            takeAudio(piece)
        } else if isNamed("data") {
            if dialect == .openai {
                takeAudio(piece)
            } else if Self.imageBeginnings.contains(where: { begins(piece, $0) }) {
                takeImage(piece)
            }
        }
    }

    /// Tools that run at the provider and bring input of their own.
    private static let openTools: [StaticString] = [
        "web_search", "web_fetch", "file_search", "code_interpreter", "code_execution", "mcp", "computer", "image_gen",
    ]
    /// PNG, JPEG, GIF and WebP in base64.
    private static let imageBeginnings: [StaticString] = ["iVBOR", "/9j/", "R0lGOD", "UklGR"]

    private mutating func takeImage(_ piece: JSONPiece) {
        found.images += 1
        heavy += Int64(piece.range.count)
    }

    private mutating func takeAudio(_ piece: JSONPiece) {
        found.audioBytes += Int64(piece.range.count)
        heavy += Int64(piece.range.count)
    }

    private func isNamed(_ text: StaticString) -> Bool { text.equals(bytes, in: name) }

    private func begins(_ piece: JSONPiece, _ text: StaticString) -> Bool {
        piece.range.count >= text.utf8CodeUnitCount
            && text.equals(bytes, in: piece.range.lowerBound..<piece.range.lowerBound + text.utf8CodeUnitCount)
    }
}
