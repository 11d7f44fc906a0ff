/// A row's tokens, each in exactly one class, so that none is charged twice.
///
/// The provider's counts overlap: `input` holds everything read, cached and cache-write tokens included; the cached count
/// holds its audio and image shares, the written count what is kept for an hour; the audio and image input counts are
/// parts of what was neither cached nor written; `output` holds its audio and image shares.
package struct TokenClasses: Hashable, Sendable {
    /// By place; -1 for what was not counted. It is made for every call and every row, so it stands in no heap.
    private var table = SIMD16<Int64>(repeating: -1)
    /// Cached audio or image tokens had to be inferred: older answers count them in the audio share without saying how many.
    private(set) var isInferred = false

    /// Counts that contradict each other. Any charge for them would be invented, so there is none.
    package struct Inconsistent: Error, Hashable {
        /// Which counts, for a person.
        package let reason: String
    }

    /// A class that is not in it has none.
    package var counts: [TokenClass: Int64] {
        TokenClass.allCases.reduce(into: [:]) { counts, token in counts[token] = self[token] }
    }

    /// nil for a class that was not counted.
    private(set) subscript(token: TokenClass) -> Int64? {
        get {
            let count = table[token.place]
            return count < 0 ? nil : count
        }
        set { table[token.place] = newValue ?? -1 }
    }

    /// Whether a kind of usage counts input tokens and no others, whatever its row says: embeddings and moderations.
    package static func isInputOnly(kind: String) -> Bool {
        kind.hasSuffix("embeddings") || kind.hasSuffix("moderations")
    }

    /// - Parameter inputOnly: of the kind of usage: `isInputOnly`.
    package init(_ quantities: WireQuantities, inputOnly: Bool) throws(Inconsistent) {
        if inputOnly {
            self[.input] = try Self.whole(quantities.inputTokens, "input tokens")
            return
        }
        try takeOutput(quantities)
        try takeInput(quantities)
    }

    private mutating func takeOutput(_ quantities: WireQuantities) throws(Inconsistent) {
        let output = try Self.whole(quantities.outputTokens, "output tokens")
        let audio = try Self.whole(quantities.audioOutputTokens, "audio output tokens")
        let image = try Self.whole(quantities.imageOutputTokens, "image output tokens")
        self[.audioOutput] = audio
        self[.imageOutput] = image
        self[.output] = try Self.rest(of: output, "output", (audio, "audio"), (image, "image"))
    }

    private mutating func takeInput(_ quantities: WireQuantities) throws(Inconsistent) {
        let input = try Self.whole(quantities.inputTokens, "input tokens")
        let cached = try Self.whole(quantities.cachedInputTokens, "cached tokens")
        let written = try Self.whole(quantities.cacheWriteTokens, "cache-write tokens")
        var audio = try Self.whole(quantities.audioInputTokens, "audio input tokens")
        var image = try Self.whole(quantities.imageInputTokens, "image input tokens")
        var cachedAudio = try Self.whole(quantities.cachedAudioInputTokens, "cached audio tokens")
        var cachedImage = try Self.whole(quantities.cachedImageInputTokens, "cached image tokens")
        let fresh = try Self.rest(of: input, "input", (cached, "cached"), (written, "cache-write"))

        // Older answers count cached audio (image) in the audio (image) share: what the fresh input cannot hold is cached.
        let known = try Self.rest(of: cached, "cached", (cachedAudio, "audio"), (cachedImage, "image"))
        var excess = try Self.sum((audio, "audio"), (image, "image")) - fresh
        if excess > 0 {
            guard excess <= known else {
                throw Inconsistent(reason: "audio and image tokens exceed the input tokens")
            }
            let moved = min(excess, audio)
            audio -= moved
            cachedAudio += moved
            excess -= moved
            image -= excess
            cachedImage += excess
            isInferred = true
        }
        self[.audioInput] = audio
        self[.imageInput] = image
        self[.input] = fresh - audio - image
        let hourly = try Self.whole(quantities.cacheWrite1HTokens, "1-hour cache-write tokens")
        self[.cacheWrite1h] = hourly
        self[.cacheWrite] = try Self.rest(of: written, "cache-write", (hourly, "1-hour"), (0, ""))
        self[.cachedAudioInput] = cachedAudio
        self[.cachedImageInput] = cachedImage
        self[.cachedInput] = cached - cachedAudio - cachedImage
    }

    private static func whole(_ count: Int64, _ name: String) throws(Inconsistent) -> Int64 {
        guard count >= 0 else { throw Inconsistent(reason: "\(name) are negative (\(count))") }
        return count
    }

    private typealias Part = (count: Int64, name: String)

    private static func sum(_ first: Part, _ second: Part) throws(Inconsistent) -> Int64 {
        let (sum, overflow) = first.count.addingReportingOverflow(second.count)
        guard !overflow else { throw Inconsistent(reason: "\(second.name) tokens are out of range") }
        return sum
    }

    /// What two parts leave of a whole.
    private static func rest(of whole: Int64, _ name: String, _ first: Part, _ second: Part) throws(Inconsistent)
        -> Int64
    {
        let taken = try sum(first, second)
        guard taken <= whole else {
            let shares = [first, second].filter { $0.count > 0 }.map { "\($0.name) \($0.count)" }
            throw Inconsistent(reason: "\(shares.joined(separator: " + ")) exceeds \(name) \(whole)")
        }
        return whole - taken
    }
}
